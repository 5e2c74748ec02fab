import type { LogIndex, MemberId } from '../entry.ts'

/** Why it is certain that a command was not executed, and never will be by this submission. */
export type Refusal =
  /** Ask `lead`; 0 for "nobody knows". */
  | 'not-leader'
  /** Too much is under way, or the disk is full. */
  | 'overloaded'
  /** Another leader's entry took its place. */
  | 'superseded'

/**
 * - `executed`: now, or by an earlier submission of the same number, whose reply this is;
 * - `not-executed`: it may be submitted again, under the same number;
 * - `session-unknown`: the session was evicted, or never opened. If the command was submitted before, nobody can tell any more
 *   whether it was executed;
 * - `answered`: its number is not later than one that the client said to have an answer to: a ghost, not executed (again);
 * - `too-far-ahead`: not executed; the session has too many commands that its client has no answer to;
 * - `unknown`: it may have been executed, or may be yet. Submitting it again under the same number is safe, and tells.
 */
export type CommandOutcome =
  | { readonly outcome: 'executed'; readonly reply: Uint8Array; readonly index: LogIndex }
  | { readonly outcome: 'not-executed'; readonly reason: Refusal; readonly lead: MemberId }
  | { readonly outcome: 'session-unknown' | 'answered' | 'too-far-ahead' | 'unknown' }

/** `ready`: the state, as it is during this call, has everything that was acknowledged before the read was asked for. */
export type ReadOutcome =
  | { readonly outcome: 'ready'; readonly index: LogIndex; readonly timeMs: number }
  | { readonly outcome: 'not-executed'; readonly reason: Refusal; readonly lead: MemberId }

export type ChangeOutcome =
  | { readonly outcome: 'changed' }
  | { readonly outcome: 'refused'; readonly reason: string }
  | { readonly outcome: 'not-executed'; readonly reason: Refusal; readonly lead: MemberId }
  | { readonly outcome: 'unknown' }

export const UNKNOWN: { readonly outcome: 'unknown' } = Object.freeze({ outcome: 'unknown' })

export const notExecuted = (
  reason: Refusal,
  lead: MemberId,
): { readonly outcome: 'not-executed'; readonly reason: Refusal; readonly lead: MemberId } => ({
  outcome: 'not-executed',
  reason,
  lead,
})
