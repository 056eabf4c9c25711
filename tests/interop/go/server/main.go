// SPDX-License-Identifier: Apache-2.0

// The echo service on Go's ttrpc, for our client. Usage: server SOCKET; ends on SIGTERM.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/containerd/ttrpc"
	"github.com/gogo/protobuf/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type handler func(ctx context.Context, text string) (string, error)

func method(h handler) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(interface{}) error) (interface{}, error) {
		var request types.StringValue
		if err := unmarshal(&request); err != nil {
			return nil, err
		}
		answer, err := h(ctx, request.Value)
		if err != nil {
			return nil, err
		}
		return &types.StringValue{Value: answer}, nil
	}
}

func say(_ context.Context, text string) (string, error) {
	return text, nil
}

func repeat(_ context.Context, text string) (string, error) {
	n, err := strconv.Atoi(text)
	return strings.Repeat("x", n), err
}

func fail(_ context.Context, text string) (string, error) {
	parts := strings.SplitN(text, " ", 2)
	code, err := strconv.Atoi(parts[0])
	if err != nil {
		return "", err
	}
	return "", status.Error(codes.Code(code), parts[1])
}

func meta(ctx context.Context, key string) (string, error) {
	value, ok := ttrpc.GetMetadataValue(ctx, key)
	if !ok {
		return "", status.Error(codes.NotFound, "no such metadata: not found")
	}
	return value, nil
}

type parking struct {
	sync.Mutex
	released chan struct{}
	n        int
}

func (p *parking) park(ctx context.Context, text string) (string, error) {
	p.Lock()
	released := p.released
	p.n++
	p.Unlock()
	select {
	case <-released:
		return text, nil
	case <-ctx.Done():
		p.Lock()
		p.n--
		p.Unlock()
		return "", ctx.Err()
	}
}

func (p *parking) release(context.Context, string) (string, error) {
	p.Lock()
	defer p.Unlock()
	n := p.n
	close(p.released)
	p.released = make(chan struct{})
	p.n = 0
	return strconv.Itoa(n), nil
}

func run(socket string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	p := &parking{released: make(chan struct{})}
	server.Register("echo.Echo", map[string]ttrpc.Method{
		"Say":     method(say),
		"Repeat":  method(repeat),
		"Fail":    method(fail),
		"Meta":    method(meta),
		"Park":    method(p.park),
		"Release": method(p.release),
	})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		server.Close()
	}()
	fmt.Println("ready")
	if err := server.Serve(context.Background(), listener); err != ttrpc.ErrServerClosed {
		return err
	}
	return nil
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
