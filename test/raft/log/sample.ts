import { hash } from 'node:crypto'
import type { Entry, HardState, LogIndex, MemberId, SnapshotMeta, Term } from '../../../lib/raft/entry.ts'
import type { Identity } from '../../../lib/raft/log/identity.ts'
import type { RaftLog } from '../../../lib/raft/log/log.ts'
import type { LogOptions } from '../../../lib/raft/log/options.ts'
import { mulberry32 } from '../../simulation/disk.ts'

export const identity: Identity = { clusterId: 'payments', memberId: 1 as MemberId }
/** Small, so that segments and slices end often. */
export const small: LogOptions = { emptyDisk: 'create', segmentBytes: 8192, sliceBytes: 300 }

export const at = (index: number): LogIndex => index as LogIndex

export function entry(index: number, term = 1, data: Uint8Array = Buffer.from(`entry ${index} of term ${term}`)): Entry {
  return { index: at(index), term: term as Term, kind: 'normal', data }
}

export function entries(from: number, to: number, term = 1): readonly Entry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, term))
}

export const hardState = (term: number, vote: number, commit: number): HardState => ({
  term: term as Term,
  vote: vote as MemberId | 0,
  commit: at(commit),
})

export const meta = (index: number, term = 1): SnapshotMeta => ({
  index: at(index),
  term: term as Term,
  configuration: Buffer.from(`members at ${index}`),
})

/** A state machine's state, as long as the index is high, in slices of any size. */
export function* slicesOf(index: number): Generator<Uint8Array, void, void> {
  const random = mulberry32(index)
  for (let i = 0; i < 1 + (index % 4); i++) yield Buffer.alloc(Math.floor(random() * 900), `state ${index}.${i} `)
}

export const stateAt = (index: number): string => Buffer.concat([...slicesOf(index)]).toString('latin1')

/** An entry in a few characters, to compare many; by another sum than the log's. */
export const digest = ({ index, term, kind, data }: Entry): string =>
  `${index}:${term}:${kind}:${data.length}:${hash('md5', data)}`

export const allEntries = (log: RaftLog): readonly Entry[] => log.entries(log.firstIndex, at(log.lastIndex + 1))

export const digests = (log: RaftLog): readonly string[] => allEntries(log).map(digest)

export async function snapshotBytes(log: RaftLog): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of log.readSnapshot()) parts.push(part)
  return Buffer.concat(parts).toString('latin1')
}

/** The code of what it throws, or what it gave. */
export async function outcome<T>(work: Promise<T>): Promise<T | string> {
  try {
    return await work
  } catch (error) {
    const code = (error as { code?: unknown }).code
    if (typeof code !== 'string') throw error
    return code
  }
}
