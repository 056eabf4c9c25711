# SPDX-License-Identifier: Apache-2.0
"""Just enough protobuf and ttrpc to talk to a shim without containerd, and to be its event sink.

Messages are dicts; SCHEMAS names their fields. Written from the wire formats, independently of the
C code under test, so that a mistake made there is not repeated here.
"""
import contextlib
import os
import queue
import socket
import struct
import threading

# field number -> (name, type); a type in a list is repeated, another schema's name is a message.
TIMESTAMP = {1: ("seconds", "int"), 2: ("nanos", "int")}
SCHEMAS = {
    "Empty": {},
    "Timestamp": TIMESTAMP,
    "Any": {1: ("type_url", "str"), 2: ("value", "bytes")},
    "Mount": {1: ("type", "str"), 2: ("source", "str"), 3: ("target", "str"), 4: ("options", ["str"])},
    "Entry": {1: ("key", "str"), 2: ("value", "str")},
    # ttrpc
    "Request": {1: ("service", "str"), 2: ("method", "str"), 3: ("payload", "bytes"),
                4: ("timeout_nano", "int"), 5: ("metadata", ["Entry"])},
    "Response": {1: ("status", "Status"), 2: ("payload", "bytes")},
    "Status": {1: ("code", "int"), 2: ("message", "str"), 3: ("details", ["Any"])},
    # start, -info and delete
    "Extension": {1: ("value", "Any")},
    "BootstrapParams": {1: ("instance_id", "str"), 2: ("namespace", "str"), 3: ("log_level", "int"),
                        4: ("containerd_version", "str"), 5: ("containerd_ttrpc_address", "str"),
                        6: ("containerd_grpc_address", "str"), 7: ("containerd_binary", "str"),
                        8: ("extensions", ["Extension"]), 9: ("socket_dir", "str")},
    "BootstrapResult": {1: ("version", "int"), 2: ("address", "str"), 3: ("protocol", "str")},
    "RuntimeInfo": {1: ("name", "str"), 2: ("version", "RuntimeVersion"), 3: ("options", "Any"),
                    4: ("features", "Any"), 5: ("annotations", ["Entry"])},
    "RuntimeVersion": {1: ("version", "str"), 2: ("revision", "str")},
    # task service: NAME is the request of a method, NAMEResponse its answer (default: Empty)
    "State": {1: ("id", "str"), 2: ("exec_id", "str")},
    "StateResponse": {1: ("id", "str"), 2: ("bundle", "str"), 3: ("pid", "int"), 4: ("status", "int"),
                      5: ("stdin", "str"), 6: ("stdout", "str"), 7: ("stderr", "str"),
                      8: ("terminal", "bool"), 9: ("exit_status", "int"),
                      10: ("exited_at", "Timestamp"), 11: ("exec_id", "str")},
    "Create": {1: ("id", "str"), 2: ("bundle", "str"), 3: ("rootfs", ["Mount"]),
               4: ("terminal", "bool"), 5: ("stdin", "str"), 6: ("stdout", "str"),
               7: ("stderr", "str"), 8: ("checkpoint", "str"), 9: ("parent_checkpoint", "str"),
               10: ("options", "Any")},
    "CreateResponse": {1: ("pid", "int")},
    "Start": {1: ("id", "str"), 2: ("exec_id", "str")},
    "StartResponse": {1: ("pid", "int")},
    "Delete": {1: ("id", "str"), 2: ("exec_id", "str")},
    "DeleteResponse": {1: ("pid", "int"), 2: ("exit_status", "int"), 3: ("exited_at", "Timestamp")},
    "Pids": {1: ("id", "str")},
    "PidsResponse": {1: ("processes", ["ProcessInfo"])},
    "ProcessInfo": {1: ("pid", "int"), 2: ("info", "Any")},
    "ProcessDetails": {1: ("exec_id", "str")},
    "Pause": {1: ("id", "str")},
    "Resume": {1: ("id", "str")},
    "Checkpoint": {1: ("id", "str"), 2: ("path", "str"), 3: ("options", "Any")},
    "Kill": {1: ("id", "str"), 2: ("exec_id", "str"), 3: ("signal", "int"), 4: ("all", "bool")},
    "Exec": {1: ("id", "str"), 2: ("exec_id", "str"), 3: ("terminal", "bool"), 4: ("stdin", "str"),
             5: ("stdout", "str"), 6: ("stderr", "str"), 7: ("spec", "Any")},
    "ResizePty": {1: ("id", "str"), 2: ("exec_id", "str"), 3: ("width", "int"), 4: ("height", "int")},
    "CloseIO": {1: ("id", "str"), 2: ("exec_id", "str"), 3: ("stdin", "bool")},
    "Update": {1: ("id", "str"), 2: ("resources", "Any"), 3: ("annotations", ["Entry"])},
    "Wait": {1: ("id", "str"), 2: ("exec_id", "str")},
    "WaitResponse": {1: ("exit_status", "int"), 2: ("exited_at", "Timestamp")},
    "Stats": {1: ("id", "str")},
    "StatsResponse": {1: ("stats", "Any")},
    "Connect": {1: ("id", "str")},
    "ConnectResponse": {1: ("shim_pid", "int"), 2: ("task_pid", "int"), 3: ("version", "str")},
    "Shutdown": {1: ("id", "str"), 2: ("now", "bool")},
    # sandbox service
    "CreateSandbox": {1: ("sandbox_id", "str"), 2: ("bundle_path", "str")},
    "StartSandbox": {1: ("sandbox_id", "str")},
    "StartSandboxResponse": {1: ("pid", "int"), 2: ("created_at", "Timestamp")},
    "StopSandbox": {1: ("sandbox_id", "str"), 2: ("timeout_secs", "int")},
    "WaitSandbox": {1: ("sandbox_id", "str")},
    "WaitSandboxResponse": {1: ("exit_status", "int"), 2: ("exited_at", "Timestamp")},
    "SandboxStatus": {1: ("sandbox_id", "str"), 2: ("verbose", "bool")},
    "SandboxStatusResponse": {1: ("sandbox_id", "str"), 2: ("pid", "int"), 3: ("state", "str")},
    "ShutdownSandbox": {1: ("sandbox_id", "str")},
    "PingSandbox": {1: ("sandbox_id", "str")},
    "Platform": {1: ("sandbox_id", "str")},
    "PlatformResponse": {1: ("platform", "PlatformInfo")},
    "PlatformInfo": {1: ("os", "str"), 2: ("architecture", "str"), 3: ("variant", "str")},
    # options
    "containerd.runc.v1.Options": {1: ("no_pivot_root", "bool"), 2: ("no_new_keyring", "bool"),
                                   3: ("shim_cgroup", "str"), 4: ("io_uid", "int"),
                                   5: ("io_gid", "int"), 6: ("binary_name", "str"), 7: ("root", "str"),
                                   9: ("systemd_cgroup", "bool"), 10: ("criu_image_path", "str"),
                                   11: ("criu_work_path", "str")},
    "containerd.runc.v1.CheckpointOptions": {1: ("exit", "bool"), 2: ("open_tcp", "bool"),
                                             3: ("external_unix_sockets", "bool"),
                                             4: ("terminal", "bool"), 5: ("file_locks", "bool"),
                                             6: ("empty_namespaces", ["str"]),
                                             8: ("image_path", "str"), 9: ("work_path", "str")},
    "runtimeoptions.v1.Options": {1: ("type_url", "str"), 2: ("config_path", "str"),
                                  3: ("config_body", "bytes")},
    # events
    "Forward": {1: ("envelope", "Envelope")},
    "Envelope": {1: ("timestamp", "Timestamp"), 2: ("namespace", "str"), 3: ("topic", "str"),
                 4: ("event", "Any")},
    "containerd.events.TaskCreate": {1: ("container_id", "str"), 2: ("bundle", "str"),
                                     3: ("rootfs", ["Mount"]), 4: ("io", "TaskIO"),
                                     5: ("checkpoint", "str"), 6: ("pid", "int")},
    "TaskIO": {1: ("stdin", "str"), 2: ("stdout", "str"), 3: ("stderr", "str"), 4: ("terminal", "bool")},
    "containerd.events.TaskStart": {1: ("container_id", "str"), 2: ("pid", "int")},
    "containerd.events.TaskDelete": {1: ("container_id", "str"), 2: ("pid", "int"),
                                     3: ("exit_status", "int"), 4: ("exited_at", "Timestamp"),
                                     5: ("id", "str")},
    "containerd.events.TaskExit": {1: ("container_id", "str"), 2: ("id", "str"), 3: ("pid", "int"),
                                   4: ("exit_status", "int"), 5: ("exited_at", "Timestamp")},
    "containerd.events.TaskOOM": {1: ("container_id", "str")},
    "containerd.events.TaskExecAdded": {1: ("container_id", "str"), 2: ("exec_id", "str")},
    "containerd.events.TaskExecStarted": {1: ("container_id", "str"), 2: ("exec_id", "str"),
                                          3: ("pid", "int")},
    "containerd.events.TaskPaused": {1: ("container_id", "str")},
    "containerd.events.TaskResumed": {1: ("container_id", "str")},
    "containerd.events.TaskCheckpointed": {1: ("container_id", "str"), 2: ("checkpoint", "str")},
}

TASK_V2 = "containerd.task.v2.Task"
TASK_V3 = "containerd.task.v3.Task"
SANDBOX = "containerd.runtime.sandbox.v1.Sandbox"
EVENTS = "containerd.services.events.ttrpc.v1.Events"
CREATED, RUNNING, STOPPED, PAUSED, PAUSING = 1, 2, 3, 4, 5
(UNKNOWN, INVALID, DEADLINE, NOT_FOUND, EXISTS) = (2, 3, 4, 5, 6)
(EXHAUSTED, PRECONDITION, UNIMPLEMENTED) = (8, 9, 12)
PATIENCE = float(os.environ.get("SHIM_TEST_SLOW", "1"))  # factor on all time limits


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(schema, message):
    """The bytes of `message`, a dict with any of the schema's fields."""
    numbers = {name: (number, kind) for number, (name, kind) in SCHEMAS[schema].items()}
    out = bytearray()
    for name, value in message.items():
        number, kind = numbers[name]
        for item in value if isinstance(kind, list) else [value]:
            out += encode_field(number, kind[0] if isinstance(kind, list) else kind, item)
    return bytes(out)


def encode_field(number, kind, value):
    if kind in ("int", "bool"):
        return varint(number << 3) + varint(int(value)) if value else b""
    if kind == "str":
        body = value.encode()
    elif kind == "bytes":
        body = value
    else:
        body = encode(kind, value)
    if not body and kind in ("str", "bytes"):
        return b""
    return varint(number << 3 | 2) + varint(len(body)) + body


def take_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data):
    """Yields (number, value) of every field; value is an int or bytes."""
    at = 0
    while at < len(data):
        key, at = take_varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = take_varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, at = data[at:at + size], at + size
        elif wire == 2:
            size, at = take_varint(data, at)
            if at + size > len(data):
                raise ValueError("length-delimited field runs over the end")
            value, at = data[at:at + size], at + size
        else:
            raise ValueError("wire type %d" % wire)
        yield key >> 3, value


def decode(schema, data):
    """The message as a dict in which absent fields have their proto3 defaults."""
    blank = {"int": 0, "bool": False, "str": "", "bytes": b""}
    message = {name: [] if isinstance(kind, list) else blank.get(kind)
               for name, kind in SCHEMAS[schema].values()}
    for number, value in fields(data):
        if number not in SCHEMAS[schema]:
            continue
        name, kind = SCHEMAS[schema][number]
        if isinstance(kind, list):
            message[name].append(decode_value(kind[0], value))
        else:
            message[name] = decode_value(kind, value)
    return message


def decode_value(kind, value):
    if kind == "int":
        return value
    if kind == "bool":
        return bool(value)
    if kind == "str":
        return value.decode()
    return bytes(value) if kind == "bytes" else decode(kind, value)


def any_of(schema, message):
    return {"type_url": schema, "value": encode(schema, message)}


class RpcError(Exception):
    def __init__(self, code, message):
        super().__init__("code %d: %s" % (code, message))
        self.code = code
        self.message = message


class Closed(Exception):
    """The connection ended before an answer came."""


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


def read_frame(sock):
    """(stream id, type, flags, data), or None at the end of the connection."""
    header = read_exactly(sock, 10)
    if header is None:
        return None
    size, stream, kind, flags = struct.unpack(">IIBB", header)
    data = read_exactly(sock, size) if size else b""
    return None if data is None else (stream, kind, flags, data)


def frame(stream, kind, data, flags=0):
    return struct.pack(">IIBB", len(data), stream, kind, flags) + data


class Call:
    """A request under way."""

    def __init__(self, what, schema):
        self.what = what
        self.schema = schema
        self.answers = queue.Queue()

    @property
    def done(self):
        return not self.answers.empty()

    def result(self, timeout=15):
        try:
            answer = self.answers.get(timeout=timeout * PATIENCE)
        except queue.Empty:
            raise AssertionError("%s: no answer within %s s" % (self.what, timeout)) from None
        self.answers.put(answer)
        if answer is None:
            raise Closed("%s: connection closed" % self.what)
        response = decode("Response", answer)
        if response["status"] and response["status"]["code"]:
            raise RpcError(response["status"]["code"], response["status"]["message"])
        return decode(self.schema, response["payload"])


class Client:
    """One ttrpc connection; any number of calls at once. Close it, or use it with `with`."""

    def __init__(self, address, service=TASK_V2):
        self.service = service
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(address.removeprefix("unix://"))
        self.sock.settimeout(None)
        self.lock = threading.Lock()
        self.calls = {}
        self.next_stream = 1
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while (got := read_frame(self.sock)) is not None:
                with self.lock:
                    call = self.calls.pop(got[0], None)
                if call:
                    call.answers.put(got[3])
        except OSError:
            pass
        with self.lock:
            calls, self.calls = self.calls, None
        for call in calls.values():
            call.answers.put(None)

    def send(self, method, message=None, service=None, timeout_nano=0, payload=None):
        """Sends the request and returns its Call at once."""
        service = service or self.service
        if payload is None:
            payload = encode(method, message or {})
        answer = method + "Response" if method + "Response" in SCHEMAS else "Empty"
        call = Call("%s(%s)" % (method, message), answer)
        request = encode("Request", {"service": service, "method": method, "payload": payload,
                                     "timeout_nano": timeout_nano})
        with self.lock:
            if self.calls is None:
                raise Closed("%s: connection closed before" % call.what)
            stream, self.next_stream = self.next_stream, self.next_stream + 2
            self.calls[stream] = call
            try:
                self.sock.sendall(frame(stream, 1, request))
            except OSError as error:
                raise Closed("%s: %s" % (call.what, error)) from None
        return call

    def call(self, method, message=None, timeout=15, **options):
        return self.send(method, message, **options).result(timeout)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class EventSink:
    """Plays containerd's events endpoint; `events` holds (topic, event dict) in order of arrival."""

    def __init__(self, path):
        self.path = path
        self.events = []
        self.namespaces = set()
        self.changed = threading.Condition()
        self.answering = threading.Lock()  # what is recorded is answered too
        self.connections = []
        self.open()

    def open(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self.connections.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            while (got := read_frame(sock)) is not None:
                request = decode("Request", got[3])
                if (request["service"], request["method"]) != (EVENTS, "Forward"):
                    status = {"code": UNIMPLEMENTED, "message": "only Events.Forward here"}
                    sock.sendall(frame(got[0], 2, encode("Response", {"status": status})))
                    continue
                with self.answering:
                    self._record(decode("Forward", request["payload"])["envelope"])
                    sock.sendall(frame(got[0], 2, b""))
        except OSError:
            pass

    def _record(self, envelope):
        event = decode(envelope["event"]["type_url"], envelope["event"]["value"])
        with self.changed:
            self.namespaces.add(envelope["namespace"])
            self.events.append((envelope["topic"], event))
            self.changed.notify_all()

    def of(self, container):
        with self.changed:
            return [(t.removeprefix("/tasks/"), e) for t, e in self.events
                    if e["container_id"] == container]

    def wait(self, container, topic, count=1, timeout=15):
        """Waits until `count` events of that topic have come; returns the container's events."""
        def enough():
            return sum(1 for t, e in self.events
                       if t == "/tasks/" + topic and e["container_id"] == container) >= count
        with self.changed:
            if not self.changed.wait_for(enough, timeout * PATIENCE):
                raise AssertionError("no %d. %s event of %s within %s s, only %s" % (
                    count, topic, container, timeout, [t for t, _ in self.events]))
        return self.of(container)

    def close(self):
        """As when containerd dies: the socket's file goes, and all connections with it."""
        # shutdown, because another thread sits in accept() and would keep the socket alive
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        os.unlink(self.path)
        with self.answering:
            for sock in self.connections:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()
            self.connections = []
