// SPDX-License-Identifier: Apache-2.0

// Calls the echo service of our server as containerd would: with Go's ttrpc. Prints a line for each
// case. Usage: client SOCKET PID-OF-THE-SERVER (which the last case ends).
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/containerd/ttrpc"
	"github.com/gogo/protobuf/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	service  = "echo.Echo"
	maxBytes = 4 << 20
	wait     = 10 * time.Second
)

var (
	socket string
	failed bool
)

func connect(onClose func()) (*ttrpc.Client, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	return ttrpc.NewClient(conn, ttrpc.WithOnClose(onClose)), nil
}

func call(ctx context.Context, c *ttrpc.Client, method, text string) (string, error) {
	return callService(ctx, c, service, method, text)
}

func callService(ctx context.Context, c *ttrpc.Client, service, method, text string) (string, error) {
	var answer types.StringValue
	if err := c.Call(ctx, service, method, &types.StringValue{Value: text}, &answer); err != nil {
		return "", err
	}
	return answer.Value, nil
}

func say(ctx context.Context, c *ttrpc.Client, text string) error {
	answer, err := call(ctx, c, "Say", text)
	if err != nil {
		return err
	}
	if answer != text {
		return fmt.Errorf("said %.40q, heard %.40q", text, answer)
	}
	return nil
}

func expectStatus(err error, code codes.Code, message string) error {
	s, ok := status.FromError(err)
	if err == nil || !ok || s.Code() != code || (message != "" && s.Message() != message) {
		return fmt.Errorf("got %v, expected %v %q", err, code, message)
	}
	return nil
}

func unary(ctx context.Context, c *ttrpc.Client) error {
	for _, text := range []string{"hello", "", "caf\u00e9 \u4e16\u754c", strings.Repeat("x", 100000)} {
		if err := say(ctx, c, text); err != nil {
			return err
		}
	}
	return nil
}

func statusCodes(ctx context.Context, c *ttrpc.Client) error {
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		_, err := call(ctx, c, "Fail", fmt.Sprintf("%d detail %d: words", code, code))
		if err := expectStatus(err, code, fmt.Sprintf("detail %d: words", code)); err != nil {
			return err
		}
	}
	return nil
}

func metadata(ctx context.Context, c *ttrpc.Client) error {
	md := ttrpc.MD{}
	md.Set("containerd-namespace-ttrpc", "k8s.io")
	md.Set("many", "one", "two")
	ctx = ttrpc.WithMetadata(ctx, md)
	for key, want := range map[string]string{"containerd-namespace-ttrpc": "k8s.io", "many": "one"} {
		if got, err := call(ctx, c, "Meta", key); err != nil || got != want {
			return fmt.Errorf("%s: %q, %v", key, got, err)
		}
	}
	_, err := call(ctx, c, "Meta", "none")
	return expectStatus(err, codes.NotFound, "no such metadata: not found")
}

func unknownNames(ctx context.Context, c *ttrpc.Client) error {
	_, err := callService(ctx, c, "echo.Unheard", "Say", "")
	if err := expectStatus(err, codes.Unimplemented, "service echo.Unheard"); err != nil {
		return err
	}
	_, err = call(ctx, c, "Nope", "")
	return expectStatus(err, codes.Unimplemented, "method Nope")
}

func badPayload(ctx context.Context, c *ttrpc.Client) error {
	var answer types.StringValue
	// field 1 as a number
	err := c.Call(ctx, service, "Say", &types.Int64Value{Value: 7}, &answer)
	if err := expectStatus(err, codes.Internal, ""); err != nil {
		return err
	}
	return say(ctx, c, "still here")
}

func deadline(ctx context.Context, c *ttrpc.Client) error {
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err := call(short, c, "Park", "x")
	if s, _ := status.FromError(err); !errors.Is(err, context.DeadlineExceeded) && s.Code() != codes.DeadlineExceeded {
		return fmt.Errorf("got %v", err)
	}
	if _, err := call(ctx, c, "Release", ""); err != nil {
		return err
	}
	return say(ctx, c, "still here")
}

func cancellation(ctx context.Context, c *ttrpc.Client) error {
	canceled, cancel := context.WithCancel(ctx)
	result := make(chan error)
	go func() {
		_, err := call(canceled, c, "Park", "x")
		result <- err
	}()
	if err := say(ctx, c, "meanwhile"); err != nil {
		return err
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		return fmt.Errorf("got %v", err)
	}
	// Releases the call, unless it was canceled before it was sent.
	if _, err := call(ctx, c, "Release", ""); err != nil {
		return err
	}
	return say(ctx, c, "still here")
}

// Releases until that many calls were answered in total.
func releaseUntil(ctx context.Context, c *ttrpc.Client, want int) error {
	for want > 0 {
		answer, err := call(ctx, c, "Release", "")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(answer)
		if err != nil {
			return err
		}
		want -= n
	}
	return nil
}

func parked(ctx context.Context, c *ttrpc.Client) error {
	const n = 100
	results := make(chan error)
	for i := 0; i < n; i++ {
		go func(text string) {
			answer, err := call(ctx, c, "Park", text)
			if err == nil && answer != text {
				err = fmt.Errorf("%q answered with %q", text, answer)
			}
			results <- err
		}(strconv.Itoa(i))
	}
	if err := say(ctx, c, "not held up"); err != nil {
		return err
	}
	if err := releaseUntil(ctx, c, n); err != nil {
		return err
	}
	for i := 0; i < n; i++ {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
}

func concurrent(ctx context.Context, c *ttrpc.Client) error {
	var wg sync.WaitGroup
	results := make(chan error, 64)
	for i := 0; i < cap(results); i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			for j := 0; j < 100; j++ {
				if err := say(ctx, c, fmt.Sprintf("%d %d", i, j)); err != nil {
					results <- err
					return
				}
			}
			results <- nil
		}(i)
	}
	wg.Wait()
	for i := 0; i < cap(results); i++ {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
}

// What is around a text without a deadline: service 11, method 5, payload and text 5 each.
const around = 26

func longestRequest(_ context.Context, c *ttrpc.Client) error {
	text := strings.Repeat("x", maxBytes-around)
	if answer, err := call(context.Background(), c, "Say", text); err != nil || answer != text {
		return fmt.Errorf("%d bytes, %v", len(answer), err)
	}
	return nil
}

func longestAnswer(ctx context.Context, c *ttrpc.Client) error {
	answer, err := call(ctx, c, "Repeat", strconv.Itoa(maxBytes-10))
	if err != nil || len(answer) != maxBytes-10 {
		return fmt.Errorf("%d bytes, %v", len(answer), err)
	}
	return nil
}

func oversizedRequest(ctx context.Context, c *ttrpc.Client) error {
	_, err := call(context.Background(), c, "Say", strings.Repeat("x", maxBytes-around+1))
	want := "message length 4194305 exceed maximum message size of 4194304"
	if err := expectStatus(err, codes.ResourceExhausted, want); err != nil {
		return err
	}
	return say(ctx, c, "still here")
}

func oversizedAnswer(ctx context.Context, c *ttrpc.Client) error {
	_, err := call(ctx, c, "Repeat", strconv.Itoa(maxBytes-9))
	want := "message length 4194305 exceed maximum message size of 4194304"
	if err := expectStatus(err, codes.ResourceExhausted, want); err != nil {
		return err
	}
	return say(ctx, c, "still here")
}

func manyConnections(ctx context.Context, _ *ttrpc.Client) error {
	for i := 0; i < 20; i++ {
		c, err := connect(func() {})
		if err != nil {
			return err
		}
		defer c.Close()
		if err := say(ctx, c, "each"); err != nil {
			return err
		}
	}
	return nil
}

func endOfServer(ctx context.Context, _ *ttrpc.Client) error {
	closed := make(chan struct{})
	c, err := connect(func() { close(closed) })
	if err != nil {
		return err
	}
	result := make(chan error)
	go func() {
		_, err := call(ctx, c, "Park", "x")
		result <- err
	}()
	if err := say(ctx, c, "meanwhile"); err != nil {
		return err
	}
	pid, err := strconv.Atoi(os.Args[2])
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	if err := <-result; !errors.Is(err, ttrpc.ErrClosed) {
		return fmt.Errorf("got %v", err)
	}
	<-closed
	return nil
}

func run(name string, c *ttrpc.Client, test func(context.Context, *ttrpc.Client) error) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := test(ctx, c); err != nil {
		failed = true
		fmt.Printf("FAIL go client: %s: %.300s\n", name, err)
		return
	}
	fmt.Printf("pass go client: %s\n", name)
}

func main() {
	socket = os.Args[1]
	c, err := connect(func() {})
	if err != nil {
		fmt.Printf("FAIL go client: connect: %v\n", err)
		os.Exit(1)
	}
	run("unary calls", c, unary)
	run("status codes and messages", c, statusCodes)
	run("metadata", c, metadata)
	run("unknown service and method", c, unknownNames)
	run("undecodable payload", c, badPayload)
	run("deadline", c, deadline)
	run("cancellation", c, cancellation)
	run("100 parked calls", c, parked)
	run("6400 calls on 64 goroutines", c, concurrent)
	run("request of exactly 4 MiB", c, longestRequest)
	run("answer of exactly 4 MiB", c, longestAnswer)
	run("request over 4 MiB", c, oversizedRequest)
	run("answer over 4 MiB", c, oversizedAnswer)
	run("20 connections", c, manyConnections)
	run("end of the server", c, endOfServer)
	if failed {
		os.Exit(1)
	}
}
