/** Every text of the page in both languages; a key that lacks one does not compile. `{name}` stands for a value. */
import { type NextReason } from '../src/engine/page/cpe';
import { type PAGE_ERRORS } from '../src/engine/page/page';
import { type OUTCOMES, type WOKEN } from '../src/engine/recorder/session';
import { type ActivationEntry, type ConnectionEntry } from '../src/splitter/entries';
import { type SERVER_STATES } from '../src/splitter/health/server-row';
import { type EventName } from '../src/splitter/memory/events';
import { type TableName } from '../src/splitter/table-list';

export const LANGUAGES = ['en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Of lists of the program: a new member without a text does not compile either. */
type Listed =
  | `event.${EventName}`
  | `next.${NextReason}`
  | `error.${(typeof PAGE_ERRORS)[number]}`
  | `state.${(typeof SERVER_STATES)[number]}`
  | `table.${TableName}`
  | `phase.${ActivationEntry['phase'] | ConnectionEntry['phase']}`
  | `outcome.${(typeof OUTCOMES)[keyof typeof OUTCOMES]}`
  | `woken.${(typeof WOKEN)[keyof typeof WOKEN]}`;

const EN = {
  'engine.ready': 'Verdicts flow',
  'engine.not-ready': 'No verdicts flow',
  'engine.not-ready.since':
    'No verdicts flow, seen since {time}: new sessions go to the ITMS, or wait, as onEngineDown says',
  'engine.paused': 'Paused by an operator: every new session goes to the ITMS',
  'engine.off': 'activation is off: nothing is diverted, only counted',
  'engine.away': 'The engine does not answer since {time}. The figures below are from then.',
  'engine.never': 'The engine does not answer.',
  'engine.drift': 'The configuration file differs from what runs: {keys}',
  'engine.unusable': 'A restart would fail: {why}',
  'engine.upgraded': 'Another version is installed: restart the engine when it suits',
  'engine.fallback': 'The kernel alone sends new sessions to the ITMS',
  'engine.lost': 'Packets lost since the start: {count}',

  'tile.engine': 'Engine',
  'tile.up': 'up {time}, {restarts} worker restarts',
  'tile.activation': 'Activation',
  'tile.diverted': 'Sessions diverted',
  'tile.packets': 'Packets decided',
  'tile.fast-path': 'Fast path',
  'tile.carried': 'Carried by the kernel',
  'tile.per-second': '{rate}/s',
  'tile.total': '{count} in all',
  'tile.running': '{count} running or just ended',
  'fast-path.off': 'off',
  'fast-path.on': 'carries',
  'fast-path.not': 'does not carry',

  'servers.title': 'Servers',
  'servers.name': 'Server',
  'servers.state': 'State',
  'servers.opened': 'Opened/s',
  'servers.failed': 'Failed',
  'servers.answers': 'Answers in',
  'servers.why': 'Why',
  'servers.itms': 'ITMS',

  'cluster.title': 'Cluster',
  'cluster.peer': 'Router',
  'cluster.lag': 'Lag',
  'cluster.seen': 'Last heard',
  'cluster.none': 'no other router is heard',
  'cluster.store': 'Store',
  'cluster-state.joining': 'joining',
  'cluster-state.joined': 'joined',
  'cluster-state.alone': 'alone',
  'store.connecting': 'connecting',
  'store.loading': 'loading',
  'store.up': 'up',

  'tables.title': 'Tables',
  'tables.name': 'Table',
  'tables.entries': 'Entries',
  'tables.capacity': 'Capacity',
  'tables.fill': 'Fill',
  'tables.refused': 'Refused',

  'plot.packets': 'Packets per second, by sender',
  'plot.sessions': 'Diverted sessions, and dropped packets, per second',
  'plot.fill': 'Entries in the tables',
  'plot.waiting': 'Packets waiting for a verdict',
  'plot.empty': 'The first sample comes 10 s after the start.',
  'plot.summary': 'Latest {latest}; highest of the hour {highest}',
  'line.cpe': 'CPEs',
  'line.itms': 'ITMS',
  'line.collector': 'collectors',
  'line.host': "host's ICMP errors",
  'line.diverted': 'diverted',
  'line.dropped': 'dropped',
  'line.waiting': 'waiting',

  'events.title': 'Newest events',
  'events.log': 'Log',
  'events.freeze': 'Freeze',
  'events.go-on': 'Continue',
  'events.skipped': '{count} events passed between two looks; acsplit trace shows more',
  'events.none': 'Nothing yet.',

  'names.title': 'Names of CPEs and people',
  'names.loopback':
    'Events and search are shown over loopback only (a tunnel: ssh -L 9547:127.0.0.1:9547 ROUTER), or with a token: metrics.tokenFile in the configuration.',
  'names.token': 'Events and search need the token of metrics.tokenFile.',
  'names.enter': 'Token',
  'names.use': 'Use it',

  'search.title': 'Where do the sessions of a CPE go?',
  'search.label': 'Address of the CPE',
  'search.go': 'Search',
  'search.searching': 'Searching…',
  'search.next': 'Its next session goes to {to}',
  'search.to-itms': 'the ITMS',
  'search.left': '{time} left',
  'search.now': 'Connections now',
  'search.none': 'None.',
  'search.requests': 'Connection Requests',
  'search.reports': 'Diverted connections',
  'search.newest': 'Newest events',
  'search.history': 'History',
  'search.kept': 'The newest {count} of {seen} sessions',
  'search.damaged': '{count} damaged pieces of the history were left out',
  'search.server': 'Server',
  'search.phase': 'Phase',
  'search.idle': 'Idle',
  'search.ports': 'Ports',
  'search.ended': 'Ended at',
  'search.woken': 'Woken by',
  'search.connections': 'Connections',
  'search.outcome': 'Ended',
  'search.operator': '{command} by {login}',
  'search.operator.refused': '{command} by {login}, refused: {why}',

  'error.names': 'This is shown over loopback or with the token only.',
  'error.address': 'This is no IPv4 or IPv6 address.',
  'error.stranger': 'This address is in none of cpe.networks: no packet of it is steered here.',
  'error.busy': 'Another search is running; try again.',
  'error.no-history': 'No history is kept: the configuration has no history.',
  'error.failed': 'The search failed; acsplit history tells more.',
  'error.away': 'The engine does not answer.',

  'next.armed': '{collector} has woken it, and it has not opened its session yet',
  'next.grace': 'its session with {collector} may go on over another connection',
  'next.not-woken': 'no collector has woken it',
  'next.asked': 'a Connection Request was sent, and is not answered yet',
  'next.running': 'its session with {collector} is open; another connection is a session of its own',
  'next.paused': '{collector} has woken it, but diverting is paused',
  'next.off': '{collector} has woken it, but activation is off',
  'next.owner-gone': '{collector}, which has woken it, is no longer configured',
  'next.outside-canary': '{collector} has woken it, but its networks leave this CPE out',
  'next.collector-down': '{collector} has woken it, but is down',
  'next.collector-silent': '{collector} has woken it, but does not answer its SYN',
  'next.not-ready': 'no verdicts flow',

  'state.up': 'up',
  'state.degraded': 'degraded',
  'state.down': 'down',

  'table.connectionRequests': 'connectionRequests',
  'table.activatedCpes': 'activatedCpes',
  'table.reportConnections': 'reportConnections',

  'phase.asked': 'asked',
  'phase.armed': 'armed',
  'phase.consumed': 'session open',
  'phase.grace': 'grace',
  'phase.unanswered': 'unanswered',
  'phase.established': 'established',
  'phase.fin': 'closing',
  'phase.closed': 'closed',
  'phase.reset': 'reset',

  'outcome.unknown': 'unknown',
  'outcome.closed': 'closed',
  'outcome.reset-by-cpe': 'reset by the CPE',
  'outcome.reset-by-collector': 'reset by the collector',
  'outcome.refused': 'refused by the collector',
  'outcome.silent': 'the collector stayed silent',
  'outcome.booted': 'the CPE had booted',
  'outcome.forgotten': 'forgotten by the collector',
  'outcome.idle': 'idle too long',
  'outcome.replaced': 'replaced by another connection',
  'outcome.no-session': 'the CPE opened no session in time',
  'outcome.ended-by-hand': 'ended by an operator',
  'outcome.ended-by-itms': 'ended: the ITMS woke the CPE',
  'outcome.not-diverting': 'not diverted: paused or off',
  'outcome.takeover': 'the kernel alone had served CPEs',
  'outcome.armed-again': 'armed again',
  'outcome.tables-reset': 'the tables were reset',
  'outcome.unfinished': 'still open when the engine stopped',
  'outcome.collector-down': 'not diverted: the collector was down',

  'woken.unknown': 'unknown',
  'woken.response': 'its 2xx answer',
  'woken.fin': "the collector's FIN",
  'woken.hand': 'an operator',
  'woken.late': 'a late packet',

  'event.armed-by-response': 'armed for {owner}: the CPE answered its Connection Request with a 2xx',
  'event.armed-by-fin': 'armed for {owner}: the collector closed its Connection Request with a FIN',
  'event.armed-by-hand': 'armed for {owner} by an operator',
  'event.contended': "contended: {owner} woke the CPE too, but another collector's activation is still in force",
  'event.ended-by-itms': 'activation for {owner} ended: the ITMS woke the CPE itself',
  'event.ended-by-hand': 'activation for {owner} ended by an operator',
  'event.session-first': 'not armed for {owner}: the CPE had already opened its session with the ITMS',
  'event.activation-table-full': 'not armed for {owner}: the table is full',
  'event.answer-split': "the status line of the answer to {owner}'s Connection Request continues in the next segment",
  'event.answer-repeated': "not evaluated again: the answer to {owner}'s Connection Request was retransmitted",
  'event.diverted': 'diverted to {owner}',
  'event.diverted-in-grace': 'diverted to {owner}: continues the previous connection',
  'event.would-divert': 'would be diverted to {owner}, but activation is off',
  'event.collector-down': 'not diverted to {owner}, which is down: goes to the ITMS',
  'event.closed': 'session with {owner} closed',
  'event.remapped': "remapped: {owner}'s Connection Request collides with another server's and gets a different port",

  'keys.title': 'Keys',
  'keys.search': 'to the search',
  'keys.freeze': 'freeze or continue the events',
  'keys.language': 'language',
  'keys.help': 'these keys',
  'page.language': '中文',
  'page.updated': 'as of {time}',
} as const satisfies Record<Listed, string> & Record<string, string>;

export type TextKey = keyof typeof EN;

const ZH: Record<TextKey, string> = {
  'engine.ready': '正常判决报文',
  'engine.not-ready': '未判决报文',
  'engine.not-ready.since': '自 {time} 起未见报文判决：新会话按 onEngineDown 的设置转往 ITMS 或等待',
  'engine.paused': '操作员已暂停分流：所有新会话均转往 ITMS',
  'engine.off': 'activation 为 off：只计数，不分流',
  'engine.away': '引擎自 {time} 起无应答。以下为当时的数据。',
  'engine.never': '引擎无应答。',
  'engine.drift': '配置文件与正在运行的配置不一致：{keys}',
  'engine.unusable': '重启将会失败：{why}',
  'engine.upgraded': '已安装另一版本：请择机重启引擎',
  'engine.fallback': '目前由内核单独把新会话转往 ITMS',
  'engine.lost': '启动以来丢失的报文：{count}',

  'tile.engine': '引擎',
  'tile.up': '已运行 {time}，工作进程重启 {restarts} 次',
  'tile.activation': '激活方式',
  'tile.diverted': '分流的会话',
  'tile.packets': '已判决的报文',
  'tile.fast-path': '快速通道',
  'tile.carried': '由内核直接转发',
  'tile.per-second': '{rate}/秒',
  'tile.total': '累计 {count}',
  'tile.running': '进行中或刚结束 {count}',
  'fast-path.off': '关闭',
  'fast-path.on': '正在转发',
  'fast-path.not': '未转发',

  'servers.title': '服务器',
  'servers.name': '服务器',
  'servers.state': '状态',
  'servers.opened': '新建连接/秒',
  'servers.failed': '失败',
  'servers.answers': '应答时间',
  'servers.why': '原因',
  'servers.itms': 'ITMS',

  'cluster.title': '集群',
  'cluster.peer': '路由器',
  'cluster.lag': '滞后',
  'cluster.seen': '最近一次收到',
  'cluster.none': '未收到其他路由器的消息',
  'cluster.store': '存储',
  'cluster-state.joining': '正在加入',
  'cluster-state.joined': '已加入',
  'cluster-state.alone': '独自运行',
  'store.connecting': '正在连接',
  'store.loading': '正在载入',
  'store.up': '正常',

  'tables.title': '表',
  'tables.name': '表',
  'tables.entries': '表项',
  'tables.capacity': '容量',
  'tables.fill': '占用',
  'tables.refused': '拒绝',

  'plot.packets': '每秒报文数（按发送方）',
  'plot.sessions': '每秒分流的会话数与丢弃的报文数',
  'plot.fill': '各表的表项数',
  'plot.waiting': '等待判决的报文数',
  'plot.empty': '启动 10 秒后才有第一个采样点。',
  'plot.summary': '最新 {latest}；一小时内最高 {highest}',
  'line.cpe': 'CPE',
  'line.itms': 'ITMS',
  'line.collector': '采集服务器',
  'line.host': '本机的 ICMP 差错报文',
  'line.diverted': '分流',
  'line.dropped': '丢弃',
  'line.waiting': '等待',

  'events.title': '最新事件',
  'events.log': '日志',
  'events.freeze': '冻结',
  'events.go-on': '继续',
  'events.skipped': '两次刷新之间另有 {count} 个事件；更多请用 acsplit trace',
  'events.none': '暂无。',

  'names.title': 'CPE 与人员信息',
  'names.loopback':
    '事件与查询只在环回地址上显示（可用隧道：ssh -L 9547:127.0.0.1:9547 ROUTER），或凭令牌显示：配置中的 metrics.tokenFile。',
  'names.token': '事件与查询需要 metrics.tokenFile 中的令牌。',
  'names.enter': '令牌',
  'names.use': '使用',

  'search.title': '某台 CPE 的会话转往哪里？',
  'search.label': 'CPE 的地址',
  'search.go': '查询',
  'search.searching': '正在查询……',
  'search.next': '下一个会话将转往 {to}',
  'search.to-itms': 'ITMS',
  'search.left': '剩余 {time}',
  'search.now': '当前连接',
  'search.none': '无。',
  'search.requests': '激活连接（Connection Request）',
  'search.reports': '已分流的上报连接',
  'search.newest': '最新事件',
  'search.history': '历史',
  'search.kept': '共 {seen} 个会话，显示最新 {count} 个',
  'search.damaged': '历史中有 {count} 处损坏，已略过',
  'search.server': '服务器',
  'search.phase': '阶段',
  'search.idle': '空闲',
  'search.ports': '端口',
  'search.ended': '结束时间',
  'search.woken': '激活依据',
  'search.connections': '连接数',
  'search.outcome': '结束方式',
  'search.operator': '{command}，操作员 {login}',
  'search.operator.refused': '{command}，操作员 {login}，被拒绝：{why}',

  'error.names': '仅在环回地址上或凭令牌显示。',
  'error.address': '这不是 IPv4 或 IPv6 地址。',
  'error.stranger': '该地址不在 cpe.networks 的任何网段内：它的报文不会送到这里。',
  'error.busy': '另一次查询正在进行，请稍后再试。',
  'error.no-history': '未保存历史：配置中没有 history。',
  'error.failed': '查询失败；详情请用 acsplit history。',
  'error.away': '引擎无应答。',

  'next.armed': '{collector} 已成功激活它，而它尚未建立会话',
  'next.grace': '它与 {collector} 的会话可能在另一条连接上继续',
  'next.not-woken': '没有采集服务器激活过它',
  'next.asked': '激活报文已发出，尚未得到应答',
  'next.running': '它与 {collector} 的会话正在进行；另一条连接属于另一个会话',
  'next.paused': '{collector} 已激活它，但分流已暂停',
  'next.off': '{collector} 已激活它，但 activation 为 off',
  'next.owner-gone': '激活它的 {collector} 已不在配置中',
  'next.outside-canary': '{collector} 已激活它，但该采集服务器的 networks 不含这台 CPE',
  'next.collector-down': '{collector} 已激活它，但该采集服务器已不可用',
  'next.collector-silent': '{collector} 已激活它，但该采集服务器不应答它的 SYN',
  'next.not-ready': '未判决报文',

  'state.up': '正常',
  'state.degraded': '异常',
  'state.down': '不可用',

  'table.connectionRequests': '激活报文表（HASH 表 1）',
  'table.activatedCpes': '已激活 CPE 表（HASH 表 2）',
  'table.reportConnections': '上报连接表（HASH 表 3）',

  'phase.asked': '已请求',
  'phase.armed': '已激活',
  'phase.consumed': '会话进行中',
  'phase.grace': '宽限期',
  'phase.unanswered': '未应答',
  'phase.established': '已建立',
  'phase.fin': '正在关闭',
  'phase.closed': '已关闭',
  'phase.reset': '已复位',

  'outcome.unknown': '未知',
  'outcome.closed': '正常关闭',
  'outcome.reset-by-cpe': '被 CPE 复位',
  'outcome.reset-by-collector': '被采集服务器复位',
  'outcome.refused': '被采集服务器拒绝',
  'outcome.silent': '采集服务器无应答',
  'outcome.booted': 'CPE 已重启',
  'outcome.forgotten': '采集服务器已不认得该连接',
  'outcome.idle': '空闲超时',
  'outcome.replaced': '被另一条连接取代',
  'outcome.no-session': 'CPE 未及时建立会话',
  'outcome.ended-by-hand': '操作员取消',
  'outcome.ended-by-itms': '取消：ITMS 激活了该 CPE',
  'outcome.not-diverting': '未分流：已暂停或 activation 为 off',
  'outcome.takeover': '期间由内核单独服务 CPE',
  'outcome.armed-again': '再次被激活',
  'outcome.tables-reset': '表已清空',
  'outcome.unfinished': '引擎停止时仍未结束',
  'outcome.collector-down': '未分流：采集服务器不可用',

  'woken.unknown': '未知',
  'woken.response': 'CPE 的 2xx 应答',
  'woken.fin': '采集服务器的 FIN 报文',
  'woken.hand': '操作员',
  'woken.late': '迟到的报文',

  'event.armed-by-response': '已为 {owner} 激活：CPE 以 2xx 应答了它的激活报文',
  'event.armed-by-fin': '已为 {owner} 激活：采集服务器以 FIN 关闭了激活连接',
  'event.armed-by-hand': '操作员已为 {owner} 激活',
  'event.contended': '争用：{owner} 也激活了该 CPE，但另一采集服务器的激活仍然有效',
  'event.ended-by-itms': '{owner} 的激活结束：ITMS 自己激活了该 CPE',
  'event.ended-by-hand': '操作员结束了 {owner} 的激活',
  'event.session-first': '未为 {owner} 激活：CPE 已先与 ITMS 建立会话',
  'event.activation-table-full': '未为 {owner} 激活：表已满',
  'event.answer-split': '对 {owner} 激活报文的应答，其状态行延续到下一个报文段',
  'event.answer-repeated': '不再判断：对 {owner} 激活报文的应答是重传',
  'event.diverted': '分流到 {owner}',
  'event.diverted-in-grace': '分流到 {owner}：延续上一条连接',
  'event.would-divert': '本应分流到 {owner}，但 activation 为 off',
  'event.collector-down': '未分流到 {owner}：该采集服务器不可用，转往 ITMS',
  'event.closed': '与 {owner} 的会话已关闭',
  'event.remapped': '已改端口：{owner} 的激活连接与另一服务器的冲突，改用其他端口',

  'keys.title': '快捷键',
  'keys.search': '转到查询',
  'keys.freeze': '冻结或继续事件',
  'keys.language': '切换语言',
  'keys.help': '显示快捷键',
  'page.language': 'English',
  'page.updated': '截至 {time}',
};

export const TEXTS: Readonly<Record<Language, Record<TextKey, string>>> = { en: EN, zh: ZH };

/** `?lang=` first, then the browser's languages. */
export function chooseLanguage(search: string, wanted: readonly string[]): Language {
  const asked = new URLSearchParams(search).get('lang')?.toLowerCase();
  for (const word of [...(asked === undefined ? [] : [asked]), ...wanted]) {
    const found = LANGUAGES.find((language) => word.toLowerCase().startsWith(language));
    if (found !== undefined) return found;
  }
  return 'en';
}

export type Values = Readonly<Record<string, string | number>>;
export type Say = (key: TextKey, values?: Values) => string;

export function speaker(language: Language): Say {
  return (key, values = {}) =>
    TEXTS[language][key].replaceAll(/\{(\w+)\}/g, (whole, name: string) =>
      Object.hasOwn(values, name) ? String(values[name]) : whole,
    );
}

/** A text of a list; what another version of the engine calls is said as it is. */
export function sayListed(say: Say, list: string, name: string, values: Values = {}): string {
  const key = `${list}.${name}`;
  return Object.hasOwn(EN, key) ? say(key as TextKey, values) : name;
}
