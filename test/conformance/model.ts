import { isDeepStrictEqual } from 'node:util'
import { CLAIM_MS } from '../../lib/lock/transitions.ts'
import type { Command, Reply } from '../../lib/store/command.ts'
import type { AlonceRecord } from '../../lib/store/record.ts'
import { DAY_MS, type Moment } from '../../lib/store/time.ts'
import { transition } from '../../lib/stores/transition.ts'

/**
 * Whether what a store did with one command is something that the pure functions permit.
 *
 * A store's moments are its own: we know the true time, and that a moment is an interval around it, no wider than
 * `SLACK_MS`. So we look for *some* sequence of permitted moments, one for each time that the command may have been
 * applied, that leads from the record before to the record after and gives the reply.
 */
export interface Observed {
  readonly command: Command
  readonly before: AlonceRecord | undefined
  readonly after: AlonceRecord | undefined
  /** `undefined`: no answer was seen, so any will do. */
  readonly reply: Reply | undefined
  /** Whether the applications may be re-sendings, one entry for each: all the sequences that the faults permit. */
  readonly sequences: readonly (readonly boolean[])[]
  /** True time when it was sent and when it was over. */
  readonly startMs: number
  readonly endMs: number
  /** True time of the very first sending. */
  readonly firstSentMs: number
  /** The largest fence or version that the key has ever had. */
  readonly highest: number
  /** Taken together with another lock: the store may name the fence, as long as it is larger than the last. */
  readonly together?: boolean | undefined
}

/** DynamoDB's interval: 1 s of its `Date`, 1 s of guard, what passes between requests, and its widening with age. */
export const SLACK_MS = 6000

/** `undefined` when it is permitted, else what was expected. */
export function verdict(observed: Observed): string | undefined {
  const { sequences, before, reply, after } = observed
  const reached: unknown[] = []
  for (const sequence of sequences) {
    let states: readonly State[] = [{ record: before, reply: undefined }]
    for (const resent of sequence) states = states.flatMap((state) => apply(state.record, resent, observed))
    for (const state of states) {
      const replied = reply === undefined || (state.reply && sameReply(state.reply, reply))
      if (replied && sameRecord(state.record, after)) return undefined
    }
    reached.push(...states.map((state) => ({ record: plain(state.record), reply: plain(state.reply) })))
  }
  const unique = [...new Set(reached.map((state) => JSON.stringify(state)))].slice(0, 6)
  return `not permitted: ${JSON.stringify(plain(observed))}\nthe functions permit, among others:\n${unique.join('\n')}`
}

interface State {
  readonly record: AlonceRecord | undefined
  readonly reply: Reply | undefined
}

function apply(record: AlonceRecord | undefined, resent: boolean, observed: Observed): readonly State[] {
  return moments(record, resent, observed).map((moment) => transition(record, observed.command, moment))
}

/** The extremes of what a store may have thought the time was, and what the record that it wrote says it thought. */
function moments(record: AlonceRecord | undefined, resent: boolean, observed: Observed): readonly Moment[] {
  const { startMs, endMs, firstSentMs } = observed
  const earliest = [endMs, startMs - SLACK_MS, ...written(observed).earliest, ...endsOf(record)]
  const latest = [startMs, ...between(startMs, written(observed).latest)]
  const sent = [firstSentMs, firstSentMs + SLACK_MS]
  const seed = seedOf(record, observed)
  const found = earliest
    .filter((ms) => ms <= endMs && ms >= startMs - SLACK_MS)
    .flatMap((e) =>
      latest
        .filter((ms) => ms >= startMs && ms <= endMs + SLACK_MS)
        .flatMap((l) => sent.map((sentAtMs): Moment => ({ earliest: e, latest: l, sentAtMs, resent, seed }))),
    )
  const leastFence = namedFence(observed)
  return leastFence === undefined ? found : [...found, ...found.map((moment) => ({ ...moment, leastFence }))]
}

function namedFence({ together, command, after, highest }: Observed): number | undefined {
  if (!together || after?.kind !== 'lock') return undefined
  const fence = after.pool?.members[command.owner]?.fence ?? after.fence
  return fence > highest ? fence : undefined
}

/** Just after the end of each of several leases: which of them are over is the store's own reading of its clock. */
function endsOf(record: AlonceRecord | undefined): readonly number[] {
  if (record?.kind !== 'lock') return []
  const holders = [record.holder, ...Object.values(record.pool?.members ?? {})].flatMap((lease) => lease?.expiresAtMs ?? [])
  return [...holders.map((ms) => ms + 1), ...(record.queue ?? []).map((waiter) => waiter.aliveUntilMs + 1)]
}

/** What was written in between and then overwritten only has to lie in between. */
const between = (startMs: number, ends: readonly number[]): readonly number[] =>
  ends.flatMap((end) => [end, ...[1, 2, 3].map((part) => Math.floor(startMs + ((end - startMs) * part) / 4))])

/** A new record's seed is the store's own choice, as long as it is larger than whatever the key has had. */
function seedOf(record: AlonceRecord | undefined, { after, highest }: Observed): number {
  const chosen = record === undefined && after ? Math.min(after.fence, after.version) - 1 : highest
  return Math.max(chosen, highest)
}

function written({ command, after }: Observed): { readonly earliest: readonly number[]; readonly latest: readonly number[] } {
  if (!after) return { earliest: [], latest: [] }
  const ends =
    after.kind === 'lock'
      ? [after.holder, ...Object.values(after.pool?.members ?? {})].map((lease) => lease?.expiresAtMs)
      : [after.expiresAtMs]
  const lengths = 'leaseMs' in command ? ends.map((end) => end && end - command.leaseMs) : []
  const signs = after.kind === 'lock' ? (after.queue ?? []).map((waiter) => waiter.aliveUntilMs - waiter.leaseMs) : []
  const claims =
    after.kind === 'lock' && command.type === 'lock.release' && after.holder ? [after.holder.expiresAtMs - CLAIM_MS] : []
  const retained =
    after.kind === 'once' && 'retainMs' in command ? [after.retainUntilMs && after.retainUntilMs - command.retainMs] : []
  const purged = after.purgeAtMs === undefined ? [] : [after.purgeAtMs - DAY_MS]
  const noted = 'by' in command ? [after.intervention?.atMs] : []
  const latest = [...lengths, ...signs, ...claims, ...retained, ...purged, ...noted].filter((ms) => ms !== undefined)
  return { earliest: after.tombstone ? [after.tombstone.atMs] : [], latest }
}

const sameReply = (a: Reply, b: Reply): boolean => isDeepStrictEqual(plain(a), plain(b))

/** DynamoDB keeps the end of a record's keeping in whole seconds, rounded up: later is as good. */
function sameRecord(a: AlonceRecord | undefined, b: AlonceRecord | undefined): boolean {
  const whole = (record: AlonceRecord | undefined): unknown =>
    plain(record && { ...record, purgeAtMs: record.purgeAtMs && Math.ceil(record.purgeAtMs / 1000) })
  return isDeepStrictEqual(whole(a), whole(b))
}

/** Without members that are `undefined`, and with bytes as text: as the values are, not how a store spells them. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return Object.fromEntries(members.map(([name, member]) => [name, plain(member)]))
}
