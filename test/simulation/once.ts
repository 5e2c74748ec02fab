import { onceTransition } from '../../lib/idempotency/transitions.ts'
import type { OnceCommand, ReplyTo } from '../../lib/store/command.ts'
import type { Fence, OnceRecord, RecordKey, ResultPointer, StoredResult } from '../../lib/store/record.ts'

/** What is asked of an operation's record. `resent`: under the same owner, because nobody knows what became of it before. */
export type OnceOperation =
  | (OnceAsked & { readonly type: 'begin'; readonly leaseMs: number; readonly retainMs: number })
  | (OnceAsked & { readonly type: 'extend'; readonly leaseMs: number })
  | (OnceAsked & { readonly type: 'complete'; readonly value: string; readonly retainMs: number })
  | (OnceAsked & { readonly type: 'abandon' })
  | (OnceAsked & { readonly type: 'forget'; readonly fence: number })

interface OnceAsked {
  readonly key: string
  readonly owner: string
  readonly resent: boolean
}

export type OnceReply =
  | (Timed & {
      readonly type: 'started'
      readonly fence: number
      readonly attempt: number
      readonly expiresAtMs: number
      readonly tookOver: boolean
    })
  | (Timed & { readonly type: 'in-progress'; readonly fence: number; readonly expiresAtMs: number })
  | (Timed & { readonly type: 'replayed'; readonly fence: number; readonly value: string; readonly expiresAtMs: number })
  | (Timed & { readonly type: 'extended'; readonly expiresAtMs: number })
  /** `kept`: what is completed is not given back. */
  | (Timed & { readonly type: 'completed' | 'abandoned' | 'kept' | 'forgotten' | 'unchanged' })
  | (Timed & { readonly type: 'lost' | 'gone' | 'uncertain' | 'stale' })

interface Timed {
  readonly timeMs: number
}

export interface OnceExecuted {
  readonly record: OnceRecord | undefined
  readonly reply: OnceReply
}

/** The library's own transition, at the time that the entry's stamp says. */
export function executeOnce(record: OnceRecord | undefined, operation: OnceOperation, timeMs: number): OnceExecuted {
  const moment = { earliest: timeMs, latest: timeMs, sentAtMs: timeMs, resent: operation.resent, seed: 0 }
  const { record: next, reply } = onceTransition(record, commandOf(operation), moment)
  return { record: next, reply: replyOf(operation, reply as Answer, timeMs) }
}

function commandOf(operation: OnceOperation): OnceCommand {
  const { key: name, owner } = operation
  const key = name as RecordKey
  switch (operation.type) {
    case 'begin':
      return { type: 'once.begin', key, owner, leaseMs: operation.leaseMs, retainMs: operation.retainMs }
    case 'extend':
      return { type: 'once.extend', key, owner, leaseMs: operation.leaseMs }
    case 'complete':
      return { type: 'once.complete', key, owner, result: resultOf(operation.value), retainMs: operation.retainMs }
    case 'abandon':
      return { type: 'once.abandon', key, owner }
    case 'forget':
      return { type: 'once.forget', key, owner, fence: operation.fence as Fence }
  }
}

/** As a pointer: plain data, so that snapshots can be text. */
const resultOf = (value: string): StoredResult => ({
  form: 'value',
  codec: 'simulated',
  body: { owner: value, count: 1, bytes: value.length, sha256: '' },
})

export const resultIn = (result: StoredResult | undefined): string | undefined =>
  (result?.body as ResultPointer | undefined)?.owner

type Answer = ReplyTo<OnceCommand>

function replyOf({ type }: OnceOperation, reply: Answer, timeMs: number): OnceReply {
  switch (reply.outcome) {
    case 'started': {
      const { fence, attempt, expiresAtMs, tookOver } = reply
      return { type: 'started', fence, attempt, expiresAtMs, tookOver, timeMs }
    }
    case 'in-progress':
      return { type: 'in-progress', fence: reply.fence, expiresAtMs: reply.expiresAtMs, timeMs }
    case 'extended':
      return { type: 'extended', expiresAtMs: reply.expiresAtMs, timeMs }
    case 'completed':
      if ('result' in reply)
        return {
          type: 'replayed',
          fence: reply.fence,
          value: resultIn(reply.result) ?? '',
          expiresAtMs: reply.retainUntilMs,
          timeMs,
        }
      return { type: type === 'abandon' ? 'kept' : 'completed', timeMs }
    case 'abandoned':
    case 'forgotten':
    case 'unchanged':
    case 'lost':
    case 'gone':
    case 'uncertain':
    case 'stale':
      return { type: reply.outcome, timeMs }
    default:
      throw new Error(`Nobody in this world asks for what answers "${reply.outcome}".`)
  }
}
