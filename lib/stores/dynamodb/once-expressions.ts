import type { OnceAbandon, OnceBegin, OnceCheckpoint, OnceCommand, OnceComplete, OnceExtend } from '../../store/command.ts'
import { DAY_MS } from '../../store/time.ts'
import { clockMark, FRESH, type HotWrite, hotWrite, NO_GHOST, RISE, type Sending } from './expression.ts'
import { memberName, number, resultFields, STATUS, text, ttlSeconds } from './item.ts'

const RUNNING = ['sv = :sv', 's = :running', 'o = :o'] as const
const running = text(STATUS['in-progress'])

export function onceWrite(command: OnceCommand, sending: Sending): HotWrite | undefined {
  switch (command.type) {
    case 'once.begin':
      return begin(command, sending)
    case 'once.extend':
      return extend(command, sending)
    case 'once.checkpoint':
      return checkpoint(command)
    case 'once.complete':
      return complete(command, sending)
    case 'once.abandon':
      return abandon(command, sending)
    case 'once.retire':
    case 'once.forget':
      return undefined
  }
}

function begin(command: OnceBegin, sending: Sending): HotWrite {
  const { owner, leaseMs, retainMs, fingerprint, label } = command
  const hold = command.hold === true || command.reconcile === true
  const mark = clockMark(sending)
  const optional = [
    { name: 'lb', given: label !== undefined, set: 'lb = :lb' },
    { name: 'hd', given: hold, set: 'hd = :one' },
    { name: '#t', given: !hold, set: '#t = :t' },
  ]
  return hotWrite({
    set: [
      's = :running',
      'o = :o',
      'x = :x',
      'l = :l',
      'n = if_not_exists(n, :zero) + :one',
      'cp = if_not_exists(cp, :none)',
      ...RISE,
      fingerprint !== undefined && 'fp = :fp',
      mark.set,
      ...optional.map(({ given, set }) => given && set),
    ],
    remove: [...optional.filter(({ given }) => !given).map(({ name }) => name), ...mark.remove],
    when: [
      FRESH,
      NO_GHOST,
      ...(fingerprint === undefined ? [] : ['(attribute_not_exists(fp) OR fp = :fp)']),
      // A takeover goes the slow way: it leaves a tombstone of whom it takes over from.
      'attribute_not_exists(s)',
    ],
    values: {
      ':running': running,
      ':o': text(owner),
      ':x': number(sending.latest + leaseMs),
      ':l': number(leaseMs),
      ':lb': text(label),
      ':fp': text(fingerprint),
      ':none': { M: {} },
      ':t': hold ? undefined : number(ttlSeconds(sending.latest + Math.max(leaseMs, retainMs) + DAY_MS)),
      ':seed': number(sending.seed),
      ':sent': number(sending.sentAtMs),
    },
  })
}

function extend({ owner, leaseMs }: OnceExtend, sending: Sending): HotWrite {
  const expiresAtMs = sending.latest + leaseMs
  const mark = clockMark(sending)
  return hotWrite({
    set: ['x = :x', 'l = :l', 'v = v + :one', mark.set],
    remove: mark.remove,
    // Retention is mostly longer than the lease, so the TTL that is there mostly suffices; where not, the slow way raises it.
    when: [...RUNNING, 'x < :x', '(attribute_not_exists(#t) OR #t >= :t)'],
    values: {
      ':running': running,
      ':o': text(owner),
      ':x': number(expiresAtMs),
      ':l': number(leaseMs),
      ':t': number(ttlSeconds(expiresAtMs + DAY_MS)),
    },
    reply: { outcome: 'extended', expiresAtMs },
  })
}

function checkpoint({ owner, name, value }: OnceCheckpoint): HotWrite {
  return hotWrite({
    set: ['cp.#n = :value', 'v = v + :one'],
    when: [...RUNNING, 'attribute_exists(cp)', 'attribute_not_exists(cp.#n)'],
    values: { ':running': running, ':o': text(owner), ':value': text(value) },
    names: { '#n': memberName(name) },
    reply: { outcome: 'saved' },
  })
}

export function complete({ owner, result, retainMs, token }: OnceComplete, sending: Sending): HotWrite {
  const retainUntilMs = sending.latest + retainMs
  const stored = resultFields(result)
  return hotWrite({
    set: [
      's = :completed',
      'r = :r',
      '#t = :t',
      'v = v + :one',
      token !== undefined && 'tk = :tk',
      ...Object.keys(stored).map((name) => `${name} = :${name}`),
    ],
    remove: ['x', 'l', 'u', 'cp', 'hd', 'cr'],
    // The TTL covers the lease too: where that outlasts the retention, the slow way computes it.
    when: [...RUNNING, 'x <= :r'],
    values: {
      ':running': running,
      ':completed': text(STATUS.completed),
      ':o': text(owner),
      ':r': number(retainUntilMs),
      ':tk': text(token),
      ':t': number(ttlSeconds(retainUntilMs + DAY_MS)),
      ...Object.fromEntries(Object.entries(stored).map(([name, value]) => [`:${name}`, value])),
    },
    reply: { outcome: 'completed' },
  })
}

function abandon({ owner }: OnceAbandon, sending: Sending): HotWrite {
  return hotWrite({
    set: ['lo = :o', 'g = :earliest', 'v = v + :one', '#t = if_not_exists(#t, :t)'],
    remove: ['s', 'o', 'x', 'l', 'u', 'lb', 'hd', 'cr', 'lr'],
    when: [...RUNNING, '(attribute_not_exists(#t) OR #t >= :t)'],
    values: {
      ':running': running,
      ':o': text(owner),
      ':earliest': number(sending.earliest),
      ':t': number(ttlSeconds(sending.latest + DAY_MS)),
    },
    reply: { outcome: 'abandoned' },
  })
}
