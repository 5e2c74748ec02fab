import { isEmpty } from '../../lock/transitions.ts'
import {
  type AlonceRecord,
  type Crashed,
  type Fence,
  type Intervention,
  type LockRecord,
  type OnceRecord,
  type RecordKey,
  SCHEMA,
  type StoredResult,
  type Tombstone,
} from '../../store/record.ts'
import { Fields, unreadable } from './fields.ts'
import { lockFields, lockOf } from './lock-fields.ts'
import { map, number, type Optional, present, text } from './optional.ts'
import type { Item } from './send.ts'

export { memberName, number, present, text } from './optional.ts'

/**
 * The head item of a record. Names are short because a refused write costs by the item's size.
 *
 * | name | of | what |
 * |---|---|---|
 * | `sv` | both | schema version |
 * | `f` `v` | both | fence, version |
 * | `o` `x` `lb` | both | owner, end of the lease (epoch ms), label |
 * | `l` | both | length of the lease (ms): for those who can't read the server's clock |
 * | `u` | both | 1: `x` was written by a client's own clock, and counts for nothing |
 * | `lo` `g` `lr` | both | tombstone: owner, time, reason |
 * | `iv` | both | an operator's last intervention (`f` of which grant, `r` reason, `b` by whom, `t` when) |
 * | `ttl` | both | DynamoDB may delete the item (epoch s) |
 * | `s` `n` `fp` `hd` | once | `P` in progress, `C` completed; attempt; fingerprint; 1: hold |
 * | `cp` `rt` `e` | once | checkpoints, retired downstream keys, epoch |
 * | `cr` `tk` | once | whom the owner has taken over to find out about (`f` `n`); token of the transaction that completed it |
 * | `r` `rf` `rc` `rb` `rp` `rw` | once | retained until (epoch ms); the result's form, codec, body or pointer, trace |
 * | `h` `hf` `w` `pl` | lock | the pool: members by owner (`x` `l` `w` `lb`), their fences, the sum of the weights, the limit |
 * | `q` `qm` | lock | the queue: owners in order, and by owner what they say (`x` alive until, `l`, `lb`) |
 */
export interface Head {
  readonly record: AlonceRecord
  /** Of whoever owns it. */
  readonly leaseMs: number | undefined
  /** The expiry was written by a client's own clock. */
  readonly unclocked: boolean
}

export const STATUS: { readonly [status in NonNullable<OnceRecord['status']>]: string } = { 'in-progress': 'P', completed: 'C' }

export const address = (namespace: string, key: RecordKey, sk = 'head'): Item => ({
  pk: { S: `${namespace}/${key}` },
  sk: { S: sk },
})

/** DynamoDB deletes by whole seconds, and never before. */
export const ttlSeconds = (purgeAtMs: number): number => Math.ceil(purgeAtMs / 1000)

/** All of the head's attributes but its address. */
export function encodeHead({ record, leaseMs, unclocked }: Head): Item {
  const alone = ownerOf(record) !== undefined && !isCompleted(record)
  const lease = alone || (record.kind === 'lock' && (!isEmpty(record.pool) || (record.queue?.length ?? 0) > 0))
  return present({
    sv: number(SCHEMA),
    f: number(record.fence),
    v: number(record.version),
    lo: text(record.tombstone?.owner),
    g: number(record.tombstone?.atMs),
    lr: text(record.tombstone?.reason),
    iv: record.intervention && interventionItem(record.intervention),
    ttl: number(record.purgeAtMs && ttlSeconds(record.purgeAtMs)),
    l: number(alone ? leaseMs : undefined),
    u: number(lease && unclocked ? 1 : undefined),
    ...(record.kind === 'lock' ? lockFields(record) : onceFields(record)),
  })
}

const isCompleted = (record: AlonceRecord): boolean => record.kind === 'once' && record.status === 'completed'

export const ownerOf = (record: AlonceRecord): string | undefined =>
  record.kind === 'lock' ? record.holder?.owner : record.owner

const onceFields = (record: OnceRecord): Optional => ({
  s: text(record.status && STATUS[record.status]),
  o: text(record.owner),
  x: number(record.expiresAtMs),
  lb: text(record.label),
  n: number(record.attempt),
  fp: text(record.fingerprint),
  hd: number(record.hold ? 1 : undefined),
  cp: isCompleted(record) ? undefined : map(record.checkpoints, text),
  rt: Object.keys(record.retired).length === 0 ? undefined : map(record.retired, number),
  e: number(record.epoch || undefined),
  cr: record.crashed && { M: present({ f: number(record.crashed.fence), n: number(record.crashed.attempt) }) },
  tk: text(record.token),
  r: number(record.retainUntilMs),
  ...(record.result && resultFields(record.result)),
})

export const resultFields = ({ form, codec, body, traceparent }: StoredResult): Item =>
  present({
    rf: text(form),
    rc: text(codec),
    rw: text(traceparent),
    ...(body instanceof Uint8Array
      ? { rb: { B: body } }
      : { rp: { M: present({ o: text(body.owner), c: number(body.count), n: number(body.bytes), h: text(body.sha256) }) } }),
  })

/** @throws AlonceError `RECORD_UNREADABLE`, `STORE_SCHEMA`: what lies in the table is never trusted. */
export function decodeHead(item: Item, key: RecordKey): Head {
  const fields = new Fields(item, key)
  fields.checkSchema()
  const owner = fields.text('o')
  const expiresAtMs = fields.number('x')
  const common = {
    fence: fields.needed(fields.number('f'), 'f') as Fence,
    version: fields.needed(fields.number('v'), 'v'),
    tombstone: tombstoneOf(fields),
    intervention: interventionOf(fields.nested('iv')),
    purgeAtMs: seconds(fields.number('ttl')),
  }
  const record = key.startsWith('lock/')
    ? ({ kind: 'lock', ...common, ...lockOf(fields) } satisfies LockRecord)
    : onceOf(fields, { ...common, owner, expiresAtMs })
  return { record, leaseMs: fields.number('l'), unclocked: fields.number('u') !== undefined }
}

const seconds = (ttl: number | undefined): number | undefined => (ttl === undefined ? undefined : ttl * 1000)

function tombstoneOf(fields: Fields): Tombstone | undefined {
  const owner = fields.text('lo')
  if (owner === undefined) return undefined
  return { owner, atMs: fields.needed(fields.number('g'), 'g'), reason: fields.text('lr') }
}

const interventionItem = ({ fence, reason, by, atMs }: Intervention): Item[string] => ({
  M: present({ f: number(fence), r: text(reason), b: text(by), t: number(atMs) }),
})

const interventionOf = (fields: Fields | undefined): Intervention | undefined =>
  fields && {
    fence: fields.needed(fields.number('f'), 'f') as Fence,
    reason: fields.needed(fields.text('r'), 'r'),
    by: fields.text('b'),
    atMs: fields.needed(fields.number('t'), 't'),
  }

type Common = Pick<OnceRecord, 'fence' | 'version' | 'tombstone' | 'intervention' | 'purgeAtMs' | 'owner' | 'expiresAtMs'>

function onceOf(fields: Fields, common: Common): OnceRecord {
  const status = statusOf(fields)
  if (status !== undefined) fields.needed(common.owner, 'o')
  if (status === 'in-progress') fields.needed(common.expiresAtMs, 'x')
  return {
    kind: 'once',
    ...common,
    status,
    label: fields.text('lb'),
    attempt: fields.needed(fields.number('n'), 'n'),
    fingerprint: fields.text('fp'),
    hold: fields.number('hd') === undefined ? undefined : true,
    checkpoints: fields.map('cp', (inner, name) => inner.text(name)),
    retired: fields.map('rt', (inner, name) => inner.number(name)),
    epoch: fields.number('e') ?? 0,
    crashed: crashedOf(fields.nested('cr')),
    token: fields.text('tk'),
    retainUntilMs: status === 'completed' ? fields.needed(fields.number('r'), 'r') : undefined,
    result: status === 'completed' ? resultOf(fields) : undefined,
  }
}

const crashedOf = (fields: Fields | undefined): Crashed | undefined =>
  fields && {
    fence: fields.needed(fields.number('f'), 'f') as Fence,
    attempt: fields.needed(fields.number('n'), 'n'),
  }

function statusOf(fields: Fields): OnceRecord['status'] {
  const status = fields.text('s')
  if (status === undefined) return undefined
  if (status === STATUS['in-progress']) return 'in-progress'
  if (status === STATUS.completed) return 'completed'
  throw unreadable(fields.key, 'its status is unknown')
}

function resultOf(fields: Fields): StoredResult {
  const form = fields.text('rf')
  if (form !== 'value' && form !== 'error' && form !== 'unstorable') throw unreadable(fields.key, 'its result has no form')
  const codec = fields.needed(fields.text('rc'), 'rc')
  const traceparent = fields.text('rw')
  const body = fields.bytes('rb')
  if (body) return { form, codec, body, traceparent }
  const pointer = fields.nested('rp')
  if (!pointer) throw unreadable(fields.key, 'its result has no body')
  return {
    form,
    codec,
    traceparent,
    body: {
      owner: pointer.needed(pointer.text('o'), 'o'),
      count: pointer.needed(pointer.number('c'), 'c'),
      bytes: pointer.needed(pointer.number('n'), 'n'),
      sha256: pointer.needed(pointer.text('h'), 'h'),
    },
  }
}
