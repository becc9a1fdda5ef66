"""Runs a command on a pseudo-terminal of its own: on-terminal.py COLUMNS ROWS COMMAND [ARGUMENT...]

What the command writes goes to standard output as it is. A line `interrupt`, `type KEYS` or `size COLUMNS ROWS`
on standard input does to the terminal what a person would do. Ends with the command's exit status.
"""
import fcntl, os, pty, select, signal, struct, sys, termios


def resize(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


columns, rows, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    # The command begins when the terminal has its size.
    sys.stdin.readline()
    os.execvp(command[0], command)
resize(fd, columns, rows)
os.write(fd, b"\n")
orders = b""
sources = [fd, 0]
while fd in sources:
    for source in select.select(sources, [], [])[0]:
        if source == fd:
            try:
                text = os.read(fd, 65536)
            except OSError:
                text = b""
            if text:
                os.write(1, text)
            else:
                sources.remove(fd)
            continue
        received = os.read(0, 4096)
        if not received:
            sources.remove(0)
        orders += received
        while b"\n" in orders:
            order, orders = orders.split(b"\n", 1)
            words = order.decode().split()
            if words[0] == "interrupt":
                os.write(fd, b"\x03")
            elif words[0] == "type":
                os.write(fd, words[1].encode())
            elif words[0] == "size":
                resize(fd, int(words[1]), int(words[2]))
                os.kill(pid, signal.SIGWINCH)
status = os.waitpid(pid, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
