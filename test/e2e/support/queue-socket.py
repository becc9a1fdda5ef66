"""What another hand may do to the queue socket of a running engine, which has no setting for it:

    queue-socket.py PID FD buffer BYTES           sizes the receive buffer as setsockopt does (the kernel doubles what it
                                                  is asked for, and has a minimum); prints what is granted
    queue-socket.py PID FD length COUNT QUEUE...  has the queues hold so many packets
"""
import ctypes
import socket
import struct
import sys

PIDFD_OPEN, PIDFD_GETFD = 434, 438
SO_RCVBUFFORCE = 33
# linux/netfilter/nfnetlink_queue.h
CONFIG = 3 << 8 | 2
NLM_F_REQUEST = 1
NFQA_CFG_QUEUE_MAXLEN = 3


def configuration(queue, length):
    attribute = struct.pack("=HHI", 8, NFQA_CFG_QUEUE_MAXLEN, socket.htonl(length))
    body = struct.pack("=BBH", 0, 0, socket.htons(queue)) + attribute
    return struct.pack("=IHHII", 16 + len(body), CONFIG, NLM_F_REQUEST, 0, 0) + body


pid, fd = int(sys.argv[1]), int(sys.argv[2])
what, value, *queues = sys.argv[3:]
libc = ctypes.CDLL(None, use_errno=True)
process = libc.syscall(PIDFD_OPEN, pid, 0)
copy = libc.syscall(PIDFD_GETFD, process, fd, 0)
if process < 0 or copy < 0:
    sys.exit(f"no descriptor {fd} of process {pid}: errno {ctypes.get_errno()}")
theirs = socket.socket(fileno=copy)
if what == "buffer":
    theirs.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, int(value))
    print(theirs.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
for queue in queues:
    theirs.sendto(configuration(int(queue), int(value)), (0, 0))
