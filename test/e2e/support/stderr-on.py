"""Runs a command whose standard error is no good: stderr-on.py KIND COMMAND [ARGUMENT...]

KIND     standard error is                                        SIGUSR1
pipe     a pipe that is full, of which nobody reads                has it read from now on
socket   the same of a socket                                      has it read from now on
disk     a device that is full                                     -
stopped  a terminal of its own, stopped as by Ctrl-S               lets it go on, as by Ctrl-Q
gone     a terminal of its own                                     takes it away

What was read goes to standard error, without what it was filled with. Ends as the command ends; 128 and more: by a signal.
"""
import os, pty, select, signal, socket, sys

kind, command = sys.argv[1], sys.argv[2:]
FILLING = b"." * 1024
# Told by a descriptor, so that select returns.
told, tell = os.pipe()
signal.signal(signal.SIGUSR1, lambda *_: os.write(tell, b"!"))


def fill(fd):
    os.set_blocking(fd, False)
    for size in (len(FILLING), 1):
        try:
            while True:
                os.write(fd, FILLING[:size])
        except BlockingIOError:
            pass
    os.set_blocking(fd, True)


def spawn(stderr):
    pid = os.fork()
    if pid == 0:
        os.dup2(stderr, 2)
        os.execvp(command[0], command)
    os.close(stderr)
    return pid


source = -1
if kind == "disk":
    pid = spawn(os.open("/dev/full", os.O_WRONLY))
elif kind in ("pipe", "socket"):
    if kind == "pipe":
        source, far = os.pipe()
    else:
        source, far = (end.detach() for end in socket.socketpair())
    fill(far)
    pid = spawn(far)
else:
    go, begin = os.pipe()
    pid, source = pty.fork()
    if pid == 0:
        os.read(go, 1)
        os.execvp(command[0], command)
    if kind == "stopped":
        os.write(source, b"\x13")
    os.write(begin, b"!")

# Of a terminal that is to go, what it shows is read, so that it is no full one.
sources = [told] + ([source] if kind in ("stopped", "gone") else [])
ended = None
while ended is None:
    for ready in select.select(sources, [], [], 0.05)[0]:
        if ready == told:
            sources.remove(told)
            if kind == "gone":
                sources.remove(source)
                os.close(source)
            elif kind == "stopped":
                os.write(source, b"\x11")
            elif source >= 0:
                sources.append(source)
            continue
        try:
            text = os.read(ready, 65536)
        except OSError:
            text = b""
        if text:
            os.write(2, text.lstrip(b"."))
        else:
            sources.remove(ready)
    pid_ended, status = os.waitpid(pid, os.WNOHANG)
    if pid_ended == pid:
        ended = os.waitstatus_to_exitcode(status)
sys.exit(ended if ended >= 0 else 128 - ended)
