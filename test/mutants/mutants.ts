import type { Mutant } from './mutant.ts'

const lock = 'lock/transitions.ts'
const once = 'idempotency/transitions.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'a live lease is taken over',
    file: lock,
    find: 'moment.earliest > holder.expiresAtMs',
    replace: 'moment.latest + 10_000 > holder.expiresAtMs',
  },
  {
    name: 'a takeover keeps the fence',
    file: lock,
    find: '(record?.fence ?? moment.seed) + 1',
    replace: '(record?.fence ?? moment.seed + 1)',
  },
  {
    name: 'a re-sent acquire conflicts with itself',
    file: lock,
    find: 'if (record && holder?.owner === command.owner) {',
    replace: 'if (record && holder?.owner === `${command.owner}!`) {',
  },
  {
    name: 'a late renewal rewinds the expiry',
    file: lock,
    find: 'Math.max(holder.expiresAtMs, moment.latest + command.leaseMs)',
    replace: 'moment.latest + command.leaseMs',
  },
  {
    name: 'anybody may renew',
    file: lock,
    find: 'if (!record || holder?.owner !== command.owner || record.fence !== command.fence) {',
    replace: 'if (!record || !holder) {',
  },
  {
    name: 'a release frees what is not ours',
    file: lock,
    find: 'if (record?.holder?.owner === command.owner) {',
    replace: 'if (record?.holder) {',
  },
  {
    name: 'a release twice is an alarm',
    file: lock,
    find: 'if (record && !record.holder && record.tombstone?.owner === command.owner)',
    replace: 'if (record && record.holder && record.tombstone?.owner === command.owner)',
  },
  {
    name: 'a re-sent release is told lost',
    file: lock,
    find: "moment.resent ? 'gone' : 'lost'",
    replace: "moment.resent ? 'lost' : 'lost'",
  },
  {
    name: 'a re-sent renewal is told lost',
    file: lock,
    find: "moment.resent ? 'uncertain' : 'lost'",
    replace: "moment.resent ? 'lost' : 'lost'",
  },
  {
    name: 'a ghost revives a released lock',
    file: lock,
    find: 'if (isGhost(record, command.owner, moment))',
    replace: 'if (false as boolean)',
  },
  {
    name: 'a break hits whoever holds it now',
    file: lock,
    find: 'if (!record?.holder || record.fence !== command.fence)',
    replace: 'if (!record?.holder)',
  },
  {
    name: 'completion without asking for the owner',
    file: once,
    find: 'if (!record || record.owner !== command.owner) return same(record, unowned(moment))\n  if (record.status',
    replace: 'if (!record) return same(record, unowned(moment))\n  if (record.status',
  },
  {
    name: 'a completed record is given back',
    file: once,
    find: "if (record.status === 'completed') return same(record, { outcome: 'completed' })\n    return next(freed",
    replace: 'return next(freed',
  },
  {
    name: 'abandonment without asking for the owner',
    file: once,
    find: 'if (record && record.owner === command.owner) {',
    replace: 'if (record && record.owner) {',
  },
  {
    name: 'a held attempt is run again',
    file: once,
    find: '(record.hold === true || moment.earliest <= (record.expiresAtMs ?? 0))',
    replace: 'moment.earliest <= (record.expiresAtMs ?? 0)',
  },
  {
    name: 'a re-sent begin waits for itself',
    file: once,
    find: 'if (record && isRunBy(record, command.owner)) return same(record, started(record, false))',
    replace: '',
  },
  {
    name: 'another payload gets the first one’s result',
    file: once,
    find: "if (differs(record, command)) return { outcome: 'mismatch'",
    replace: "if (false as boolean) return { outcome: 'mismatch'",
  },
  {
    name: 'a ghost begin runs again',
    file: once,
    find: 'if (isGhost(record, command.owner, moment))',
    replace: 'if (false as boolean)',
  },
  {
    name: 'a result outlives its retention',
    file: once,
    find: "if (record.status === 'completed') return moment.earliest <= (record.retainUntilMs ?? 0)",
    replace: "if (record.status === 'completed') return true",
  },
  {
    name: 'a re-sent completion is told lost',
    file: once,
    find: "outcome: moment.resent ? 'uncertain' : 'lost',\n})",
    replace: "outcome: moment.resent ? 'lost' : 'lost',\n})",
  },
  {
    name: 'an extension shortens the lease',
    file: once,
    find: 'Math.max(record.expiresAtMs ?? 0, moment.latest + command.leaseMs)',
    replace: 'moment.latest + command.leaseMs',
  },
  {
    name: 'an in-progress record is deleted before its lease ends',
    file: once,
    find: 'moment.latest + Math.max(command.leaseMs, command.retainMs) + DAY_MS',
    replace: 'moment.latest',
  },
  { name: 'a held record is cleaned up', file: once, find: 'purgeAtMs: command.hold ? undefined : ', replace: 'purgeAtMs: ' },
  {
    name: 'a missing part makes a shared key',
    file: 'store/key.ts',
    find: "      throw missing('undefined')",
    replace: "      return 'undefined'",
  },
  {
    name: 'parts of a key run together',
    file: 'store/key.ts',
    find: 'return `${typeof part}${text.length}:${text}`',
    replace: 'return text',
  },
  {
    name: 'a lock’s name does not escape its separator',
    file: 'store/key.ts',
    find: "(typeof part === 'string' ? escapePart(part) :",
    replace: "(typeof part === 'string' ? part :",
  },
]
