import { ENTRY_KINDS, type Entry, type HardState, type LogIndex, type MemberId, type Term } from '../entry.ts'
import { readWhole, writeWhole } from './bytes.ts'

/**
 * What one durable write says. Replayed in order: base, then entries, then hard state.
 *
 * There is no record for "cut the log here": entries that begin at an index that the log has already replace everything from
 * there on, as Raft's AppendEntries does. This is safe because a batch counts as a whole or not at all: if the write is torn,
 * the old suffix is still there, and a follower that has not acknowledged the new one may have either.
 */
export interface Batch {
  /** The log starts anew behind this index, which a durable snapshot covers. */
  readonly base?: Base | undefined
  readonly entries: readonly Entry[]
  readonly hardState?: HardState | undefined
}

export interface Base {
  readonly index: LogIndex
  readonly term: Term
}

/** kind (1), entry kind (1), unused (2), payload length (4), term (8), index (8); little-endian. */
const HEAD = 24
const ENTRY = 1
const HARD_STATE = 2
const BASE = 3

export function encodedBytes(batch: Batch): number {
  const entries = batch.entries.reduce((sum, entry) => sum + HEAD + entry.data.length, 0)
  return entries + (batch.base ? HEAD : 0) + (batch.hardState ? HEAD + 8 : 0)
}

export function encodeBatch(batch: Batch, to: Buffer, start: number): void {
  let at = start
  if (batch.base) at = head(to, at, { kind: BASE, bytes: 0, term: batch.base.term, index: batch.base.index })
  for (const { kind, term, index, data } of batch.entries) {
    at = head(to, at, { kind: ENTRY, entryKind: ENTRY_KINDS.indexOf(kind), bytes: data.length, term, index })
    to.set(data, at)
    at += data.length
  }
  if (batch.hardState) {
    const { term, vote, commit } = batch.hardState
    at = head(to, at, { kind: HARD_STATE, bytes: 8, term, index: commit })
    writeWhole(to, vote, at)
  }
}

interface Head {
  readonly kind: number
  readonly entryKind?: number
  readonly bytes: number
  readonly term: number
  readonly index: number
}

function head(to: Buffer, at: number, fields: Head): number {
  to.writeUInt8(fields.kind, at)
  to.writeUInt8(fields.entryKind ?? 0, at + 1)
  to.writeUInt32LE(fields.bytes, at + 4)
  writeWhole(to, fields.term, at + 8)
  writeWhole(to, fields.index, at + 16)
  return at + HEAD
}

/** `undefined` when these are not records: the sum was right, so a program wrote them that is not ours. */
export function decodeBatch(body: Buffer): Batch | undefined {
  const entries: Entry[] = []
  let base: Base | undefined
  let hardState: HardState | undefined
  for (let at = 0; at < body.length; ) {
    if (body.length - at < HEAD) return undefined
    const payload = at + HEAD
    const end = payload + body.readUInt32LE(at + 4)
    if (end > body.length) return undefined
    const term = readWhole(body, at + 8) as Term
    const index = readWhole(body, at + 16) as LogIndex
    const kind = body.readUInt8(at)
    const entryKind = ENTRY_KINDS[body.readUInt8(at + 1)]
    if (kind === ENTRY && entryKind) entries.push({ term, index, kind: entryKind, data: body.subarray(payload, end) })
    else if (kind === HARD_STATE && end - payload === 8)
      hardState = { term, vote: readWhole(body, payload) as MemberId, commit: index }
    else if (kind === BASE) base = { index, term }
    else return undefined
    at = end
  }
  return { base, entries, hardState }
}
