"""A host's sockets at command: every call of a test's script is one call into this kernel's TCP, and nothing happens
by itself. Speaks the actors' protocol (src/lab/lines.ts): {"ask": N, "do": NAME, ...} on stdin, {"answer": N, ...}
and {"event": NAME, ...} on stdout, one JSON object a line. Ends with stdin.

    listen   -> event accepted {socket, address, port, from, fromPort}, for every connection
    connect, send, receive, finish (half-close), close, reset (RST), option
    stream   so many random bytes, then a half-close; what was sent, and what `receive` swallows, as SHA-256
    pour, swallow   so many bytes without an end, as SHA-256; gigabytes too
    acknowledged   waits until the other end has acknowledged this end's FIN
    packet   an IPv4 or IPv6 packet from its hexadecimal, sent as it is, whatever its source; packets: a list of them
    watch    -> event packet {hex}, for every packet to or from an address that arrives, in the order of the wire; without an
             address for every packet of the family of `like`

A call that waits has a thread of its own, so that others go on meanwhile. Errors are named as errno names them.
"""
import errno
import hashlib
import itertools
import json
import random
import socket
import struct
import sys
import threading
import time

PATIENCE_SECONDS = 50
# Family of an address's text -> EtherType, where the addresses lie in the header, how long they are.
LAYOUTS = {socket.AF_INET: (0x0800, 12, 4), socket.AF_INET6: (0x86dd, 8, 16)}
# linux/tcp.h, which Python's socket module does not name.
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_SEND_QUEUE = 19, 20, 21, 2
# net/tcp_states.h: the other end has acknowledged our FIN and not closed itself, or it closed first.
TCP_FIN_WAIT2, TCP_CLOSE = 5, 7

numbers = itertools.count(1)
sockets = {}
listeners = {}
writing = threading.Lock()


def write(line):
    with writing:
        sys.stdout.write(json.dumps(line) + '\n')
        sys.stdout.flush()


def tell(event, **what):
    write({'event': event, 'atMs': int(time.time() * 1000), **what})


def keep(connection):
    number = next(numbers)
    sockets[number] = connection
    return number


def family_of(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET


def new_socket(address):
    made = socket.socket(family_of(address), socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def listen(order):
    place = (order['address'], order['port'])
    listener = new_socket(order['address'])
    if order.get('fastOpen'):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    listener.bind(place)
    listener.listen(1024)
    listeners[place] = listener
    threading.Thread(target=accept, args=(listener,), daemon=True).start()


def accept(listener):
    while True:
        try:
            connection, (source, port, *_) = listener.accept()
        except OSError:
            return  # Closed by unlisten.
        connection.settimeout(PATIENCE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address, local, *_ = connection.getsockname()
        # 'from' is a word of Python's.
        tell('accepted', socket=keep(connection), address=address, port=local, **{'from': source, 'fromPort': port})


def unlisten(order):
    listener = listeners.pop((order['address'], order['port']))
    # The thread in accept() holds the socket open until it returns.
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def connect(order):
    connection = new_socket(order['from'])
    try:
        connection.settimeout(order.get('timeoutMs', PATIENCE_SECONDS * 1000) / 1000)
        connection.bind((order['from'], order.get('fromPort', 0)))
        if 'initialSequence' in order:
            begin_at(connection, order['initialSequence'])
        to = (order['to'], order['toPort'])
        if 'fastOpen' in order:
            connection.settimeout(None)  # With a time-out Python has the call return while the SYN is on its way.
            connection.sendto(order['fastOpen'].encode(), socket.MSG_FASTOPEN, to)
        else:
            connection.connect(to)
    except BaseException:
        connection.close()
        raise
    connection.settimeout(PATIENCE_SECONDS)
    return {'socket': keep(connection), 'port': connection.getsockname()[1]}


def begin_at(connection, sequence):
    """Chooses the initial sequence number, as only a socket under repair can."""
    connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE)
    connection.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack('I', sequence))
    # -1: leaves repair without probing the window of a peer that there is not yet.
    connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, -1)


def send(order):
    text = order['text'].encode() * order.get('times', 1)
    if not order.get('more'):
        sockets[order['socket']].sendall(text)
    elif sockets[order['socket']].send(text, socket.MSG_MORE) != len(text):
        raise OSError(errno.EMSGSIZE, 'more text than fits')


def receive(order):
    """So many bytes, or what came before the end; a reset is an end like any other. `all`: until the end, counted."""
    connection = sockets[order['socket']]
    wanted = order.get('bytes', 0)
    count, text, ended, digest = 0, b'', None, hashlib.sha256()
    try:
        while order.get('all') or count < wanted:
            piece = connection.recv(65536 if order.get('all') else wanted - count)
            if not piece:
                ended = 'finished'
                break
            count += len(piece)
            if order.get('all'):
                digest.update(piece)
            else:
                text += piece
    except ConnectionError as error:
        ended = errno.errorcode[error.errno]
    seen = {'sha256': digest.hexdigest()} if order.get('all') else {}
    return {'text': text.decode(), 'bytes': count, 'ended': ended, **seen}


def stream(order):
    content = random.Random(order['seed']).randbytes(order['bytes'])
    sockets[order['socket']].sendall(content)
    finish(order)
    return {'sha256': hashlib.sha256(content).hexdigest()}


BLOCK = random.Random(1).randbytes(1 << 20)


def pour(order):
    digest = hashlib.sha256()
    left = order['bytes']
    while left > 0:
        piece = BLOCK[:left]
        sockets[order['socket']].sendall(piece)
        digest.update(piece)
        left -= len(piece)
    return {'sha256': digest.hexdigest()}


def swallow(order):
    digest = hashlib.sha256()
    left = order['bytes']
    while left > 0:
        piece = sockets[order['socket']].recv(min(left, 1 << 20))
        if not piece:
            raise ConnectionError('ended early')
        digest.update(piece)
        left -= len(piece)
    return {'sha256': digest.hexdigest()}


def finish(order):
    sockets[order['socket']].shutdown(socket.SHUT_WR)


def acknowledged(order):
    deadline = time.monotonic() + PATIENCE_SECONDS
    # The first byte of struct tcp_info is the state. linux/tcp.h
    while sockets[order['socket']].getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] not in (TCP_FIN_WAIT2, TCP_CLOSE):
        if time.monotonic() > deadline:
            raise TimeoutError()
        time.sleep(0.001)


def close(order):
    sockets.pop(order['socket']).close()


def reset(order):
    connection = sockets.pop(order['socket'])
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()


def option(order):
    level = socket.SOL_SOCKET if order['level'] == 'socket' else socket.IPPROTO_TCP
    sockets[order['socket']].setsockopt(level, getattr(socket, order['name']), order['value'])


raw = {family: socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) for family in LAYOUTS}


def packet(order):
    send_raw(bytes.fromhex(order['hex']))


def packets(order):
    for one in order['hex']:
        send_raw(bytes.fromhex(one))


def send_raw(bytes_):
    family = socket.AF_INET6 if bytes_[0] >> 4 == 6 else socket.AF_INET
    _, at, size = LAYOUTS[family]
    raw[family].sendto(bytes_, (socket.inet_ntop(family, bytes_[at + size:at + 2 * size]), 0))


def watch(order):
    family = family_of(order.get('address') or order['like'])
    ether_type, at, size = LAYOUTS[family]
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ether_type))
    wire.bind(('eth0', ether_type))
    wanted = socket.inet_pton(family, order['address']) if 'address' in order else None
    threading.Thread(target=look, args=(wire, wanted, at, size), daemon=True).start()


def look(wire, wanted, at, size):
    while True:
        seen = wire.recv(65536)
        if wanted is None or wanted in (seen[at:at + size], seen[at + size:at + 2 * size]):
            tell('packet', hex=seen.hex())


ACTS = {
    act.__name__: act
    for act in (listen, unlisten, connect, send, receive, stream, pour, swallow, finish, acknowledged, close, reset, option, packet, packets,
                watch)
}
ACTS['settle'] = lambda order: None


def perform(order):
    try:
        write({'answer': order['ask'], 'result': ACTS[order['do']](order)})
    except TimeoutError as error:
        write({'answer': order['ask'], 'error': errno.errorcode.get(error.errno, 'ETIMEDOUT')})
    except OSError as error:
        write({'answer': order['ask'], 'error': errno.errorcode.get(error.errno, str(error))})
    except Exception as error:
        write({'answer': order['ask'], 'error': repr(error)})


tell('ready')
for line in sys.stdin:
    order = json.loads(line)
    if order['do'] in ('connect', 'receive', 'send', 'stream', 'pour', 'swallow', 'acknowledged'):
        threading.Thread(target=perform, args=(order,), daemon=True).start()
    else:
        perform(order)
