"""Load through the routers, from either end of it: what every connection met, and when nothing passed.

    routers-load.py '{"role": "servers", ...}'    the ITMS or collectors: answer each line with their name, wake CPEs
    routers-load.py '{"role": "cpes", ...}'       CPEs: probes, kept connections, and sessions when they are woken

Speaks the actors' protocol (src/lab/lines.ts).
"""
import asyncio
import json
import random
import sys
import time

settings = json.loads(sys.argv[1])
PORT = settings['port']
REQUEST_PORT = 30005
PROBE_SECONDS = settings.get('probeMs', 10) / 1000
LINE_SECONDS = 0.05
# A SYN that is repeated takes a second.
FIRST_TRY_SECONDS = 0.7
PATIENCE_SECONDS = 8
# Longer than ttl.grace.
GRACE_SECONDS = 4.5
TRIES = 3
RETRY_SECONDS = 1
tasks = set()


def write(line):
    sys.stdout.write(json.dumps(line) + '\n')
    sys.stdout.flush()


def spawn(coroutine):
    task = asyncio.create_task(coroutine)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


def now_ms():
    return int(time.time() * 1000)


def is_v6(address):
    return ':' in address


def open_from(source, target, port):
    return asyncio.open_connection(target, port, local_addr=(source, 0))


class Servers:
    def __init__(self):
        self.seen = []
        self.requests = {'answered': 0, 'failed': 0}
        self.woken = {}

    async def begin(self):
        for name, addresses in settings['servers'].items():
            for address in addresses:
                handler = lambda reader, writer, name=name: self.serve(name, reader, writer)
                await asyncio.start_server(handler, address, PORT, backlog=4096)

    async def serve(self, name, reader, writer):
        peer, port = writer.get_extra_info('peername')[:2]
        self.seen.append((name, peer, port, now_ms()))
        try:
            while line := await reader.readline():
                writer.write(name.encode() + b' ' + line)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    async def wake(self, server, cpe):
        """One Connection Request; whether it was answered 200."""
        source = settings['servers'][server][1 if is_v6(cpe) else 0]
        try:
            async with asyncio.timeout(3):
                reader, writer = await open_from(source, cpe, REQUEST_PORT)
                writer.write(b'GET /wake HTTP/1.1\r\nHost: cpe\r\n\r\n')
                text = await reader.read(-1)
                writer.close()
        except (OSError, TimeoutError):
            self.requests['failed'] += 1
            return False
        self.requests['answered'] += 1
        return text.startswith(b'HTTP/1.1 200')

    async def keep_waking(self, server, cpe, seconds):
        await asyncio.sleep(random.random() * seconds)
        while True:
            await self.wake(server, cpe)
            await asyncio.sleep(seconds)

    async def act(self, order):
        do = order['do']
        if do == 'wake':
            return await asyncio.gather(*(self.wake(server, cpe) for server, cpe in order['pairs']))
        if do == 'keepWaking':
            for server, cpe in order['pairs']:
                spawn(self.keep_waking(server, cpe, order['seconds']))
        if do == 'report':
            seen, self.seen = self.seen, []
            requests, self.requests = self.requests, {'answered': 0, 'failed': 0}
            return {'seen': seen, 'requests': requests}


class Cpes:
    def __init__(self):
        self.reset()
        self.kept = {}
        # CPE -> when its kept connection last had an answer; when a probe of each family last passed.
        self.answered = {}
        self.passed = {False: 0, True: 0}
        # Between a Connection Request and the end of what it has led to.
        self.busy = set()
        # CPE -> 'kept' or 'churn': what it does when it is woken, and by whom.
        self.woken = settings['woken']

    def reset(self):
        self.probes = []
        self.sessions = []
        self.broken = []
        self.mixed = []
        self.silence = 0

    async def begin(self):
        for cpe in self.woken:
            await asyncio.start_server(lambda r, w, cpe=cpe: self.answer(cpe, r, w), cpe, REQUEST_PORT)

    async def answer(self, cpe, reader, writer):
        is_busy = cpe in self.busy or cpe in self.kept
        status = b'503 Service Unavailable' if is_busy else b'200 OK'
        try:
            await reader.readuntil(b'\r\n\r\n')
            writer.write(b'HTTP/1.1 ' + status + b'\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()
        if not is_busy:
            self.busy.add(cpe)
            await spawn(self.session(cpe))
            self.busy.discard(cpe)

    async def session(self, cpe):
        """The session that it is woken for, and after its grace one of its own, which is the ITMS's."""
        await asyncio.sleep(random.uniform(0.02, 0.3))
        if self.woken[cpe] == 'kept':
            return await self.keep(cpe)
        if await self.told('woken', cpe, TRIES):
            await asyncio.sleep(GRACE_SECONDS)
            await self.told('own', cpe, 1)

    async def told(self, kind, cpe, tries):
        """A session that is repeated until it comes to its end, as CPEs do (TR-069 3.2.1.1). Whether it did."""
        for left in range(tries, 0, -1):
            one = await self.lines(cpe, 3)
            self.sessions.append({'cpe': cpe, 'kind': kind, **one})
            if one['server']:
                return True
            if left > 1:
                await asyncio.sleep(RETRY_SECONDS)
        return False

    async def connect(self, cpe):
        acs = settings['acs'][1 if is_v6(cpe) else 0]
        return await open_from(cpe, acs, PORT)

    async def lines(self, cpe, count):
        """A connection of so many lines: when it began, its port, and the server's name, or why it did not come to its end."""
        writer = None
        told = {'at': now_ms(), 'port': None, 'server': None, 'error': None}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                reader, writer = await self.connect(cpe)
                told['port'] = writer.get_extra_info('sockname')[1]
                names = set()
                for number in range(count):
                    names.add(await self.say(reader, writer, f'{cpe} {number}'))
                    await asyncio.sleep(LINE_SECONDS)
        except (OSError, TimeoutError, EOFError) as error:
            return {**told, 'error': f'{error!r} after {now_ms() - told["at"]} ms'}
        finally:
            if writer:
                writer.close()
        if len(names) > 1:
            self.mixed.append([cpe, *names])
        return {**told, 'server': names.pop()}

    async def say(self, reader, writer, text):
        writer.write(text.encode() + b'\n')
        answer = (await reader.readline()).decode()
        if not answer.endswith(f' {text}\n'):
            raise EOFError(answer)
        return answer.split(' ')[0]

    async def keep(self, cpe):
        """A connection that says a line now and then, until it breaks."""
        name = None
        try:
            reader, writer = await self.connect(cpe)
            for number in range(1 << 30):
                before = time.monotonic()
                said = await asyncio.wait_for(self.say(reader, writer, f'{cpe} {number}'), 30)
                self.silence = max(self.silence, time.monotonic() - before)
                if name not in (None, said):
                    self.mixed.append([cpe, name, said])
                name = self.kept[cpe] = said
                self.answered[cpe] = time.monotonic()
                await asyncio.sleep(LINE_SECONDS)
        except (OSError, TimeoutError, EOFError, asyncio.TimeoutError) as error:
            self.broken.append([cpe, name, repr(error)])
        self.kept.pop(cpe, None)

    async def probe_on(self):
        due = time.monotonic()
        for number in range(1 << 40):
            spawn(self.probe(settings['probes'][number % len(settings['probes'])]))
            due += PROBE_SECONDS
            await asyncio.sleep(max(0, due - time.monotonic()))

    async def probe(self, cpe):
        one = {'at': time.monotonic(), 'cpe': cpe, 'took': None, 'server': None}
        self.probes.append(one)
        writer = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                reader, writer = await self.connect(cpe)
                one['port'] = writer.get_extra_info('sockname')[1]
                one['took'] = time.monotonic() - one['at']
                one['server'] = await self.say(reader, writer, cpe)
            self.passed[is_v6(cpe)] = time.monotonic()
        except (OSError, TimeoutError, EOFError) as error:
            one['error'] = f'{error!r} after {time.monotonic() - one["at"]:.3f} s from {one.get("port")}, {now_ms()}'
        finally:
            if writer:
                writer.close()

    def report(self):
        now = time.monotonic()
        # Those that may still come to their end are the next report's.
        done = [one for one in self.probes if one['server'] or 'error' in one]
        stuck = [one for one in done if one['took'] is None or one['took'] > FIRST_TRY_SECONDS]
        waiting = [one for one in self.probes if not (one['server'] or 'error' in one)]
        by_family = {}
        for v6 in (False, True):
            mine = sorted((one for one in done if is_v6(one['cpe']) == v6), key=lambda one: one['at'])
            by_family['ipv6' if v6 else 'ipv4'] = self.interruption(mine)
        result = {
            'probes': len(done),
            'waiting': len(waiting),
            'stuck': len(stuck),
            'failed': [[one['cpe'], one['error']] for one in done if 'error' in one][:10],
            'failures': sum('error' in one for one in done),
            'strays': [[one['cpe'], one['server']] for one in done if one['server'] not in (None, 'itms')],
            'interruption': by_family,
            'sessions': self.sessions,
            'broken': self.broken,
            'mixed': self.mixed,
            'kept': dict(self.kept),
            'silence': self.silence,
        }
        self.reset()
        self.probes = waiting
        return result

    @staticmethod
    def interruption(probes):
        """The longest time in which no probe passed at its first try."""
        longest, began = 0, None
        for one in probes:
            passed = one['took'] is not None and one['took'] <= FIRST_TRY_SECONDS
            if passed and began is not None:
                longest, began = max(longest, one['at'] - began), None
            elif not passed and began is None:
                began = one['at']
        return longest if began is None else max(longest, probes[-1]['at'] - began)

    async def calm(self, seconds):
        """Until every kept connection has had an answer since now, or is broken, new ones pass, and those begun before are over."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            last = [self.answered.get(cpe, 0) for cpe in self.kept] + list(self.passed.values())
            # An answer that comes now may belong to a line of before.
            is_past = not any(one['at'] < began and not (one['server'] or 'error' in one) for one in self.probes)
            if is_past and min(last) > began + LINE_SECONDS:
                return True
            await asyncio.sleep(LINE_SECONDS)
        return False

    async def act(self, order):
        do = order['do']
        if do == 'calm':
            return await self.calm(order['seconds'])
        if do == 'keep':
            for cpe in order['cpes']:
                if cpe not in self.kept:
                    spawn(self.keep(cpe))
        if do == 'kept':
            return dict(self.kept)
        if do == 'probe':
            spawn(self.probe_on())
        if do == 'report':
            return self.report()


async def main():
    role = Servers() if settings['role'] == 'servers' else Cpes()
    await role.begin()
    write({'event': 'ready', 'atMs': now_ms()})
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def perform(order):
        try:
            write({'answer': order['ask'], 'result': await role.act(order)})
        except Exception as error:
            write({'answer': order['ask'], 'error': repr(error)})

    while line := await reader.readline():
        spawn(perform(json.loads(line)))


asyncio.run(main())
