import { checkHistory, type HistoryOperation, type Model, type Verdict } from './linearizability.ts'
import type { LockOperation, LockReply, Operation, Reply, Seen } from './machine.ts'
import { onceModel } from './once-model.ts'

/** What a client did and heard; without a reply nobody knows what became of it. */
export type Action =
  | { readonly type: 'command'; readonly operation: Operation; readonly reply: Reply | undefined }
  | { readonly type: 'read'; readonly seen: Seen }

export const counterModel: Model<number, Action> = {
  initial: 0,
  step(value, action) {
    if (action.type === 'read') return action.seen.value === value ? [value] : []
    if (action.reply === undefined) return [value + 1]
    return action.reply.type === 'added' && action.reply.value === value + 1 ? [value + 1] : []
  },
  key: String,
}

/** Of a key's history, by what the key is of. */
export function checkKey(key: string, history: readonly HistoryOperation<Action>[]): Verdict {
  if (key.startsWith('counter')) return checkHistory(history, counterModel)
  return key.startsWith('lock') ? checkHistory(history, lockModel) : checkHistory(history, onceModel)
}

export interface LockState {
  readonly fence: number
  readonly owner: string | undefined
  /** `undefined`: by a command whose outcome nobody knows; the next reply that tells it settles it. */
  readonly expiresAtMs: number | undefined
  /** The latest cluster time that was seen: it never goes back. */
  readonly timeMs: number
  /** Who left last. */
  readonly gone: string | undefined
}

/** One lock, by its rules in the specification; what is written here shares nothing with the transitions. */
export const lockModel: Model<LockState, Action> = {
  initial: { fence: 0, owner: undefined, expiresAtMs: undefined, timeMs: 0, gone: undefined },
  step(state, action) {
    if (action.type === 'read') return look(state, action.seen)
    const operation = action.operation as LockOperation
    const reply = action.reply as LockReply | undefined
    if (reply === undefined) return perhaps(state, operation)
    if (reply.timeMs < state.timeMs) return []
    return told({ ...state, timeMs: reply.timeMs }, operation, reply)
  },
  key: ({ fence, owner, expiresAtMs, timeMs, gone }) => `${fence} ${owner} ${expiresAtMs} ${timeMs} ${gone}`,
}

function look(state: LockState, { fence, owner, expiresAtMs }: Seen): readonly LockState[] {
  if (state.fence !== fence || state.owner !== owner) return []
  return matches(state, expiresAtMs) ? [{ ...state, expiresAtMs }] : []
}

const matches = (state: LockState, expiresAtMs: number | undefined): boolean =>
  state.expiresAtMs === undefined || state.expiresAtMs === expiresAtMs

function perhaps(state: LockState, operation: LockOperation): readonly LockState[] {
  const isOwn = state.owner === operation.owner
  switch (operation.type) {
    case 'acquire':
      return [{ ...state, fence: state.fence + 1, owner: operation.owner, expiresAtMs: undefined }]
    case 'renew':
      return isOwn ? [{ ...state, expiresAtMs: undefined }] : []
    case 'release':
      return isOwn ? [{ ...state, owner: undefined, expiresAtMs: undefined, gone: operation.owner }] : []
  }
}

function told(state: LockState, operation: LockOperation, reply: LockReply): readonly LockState[] {
  const { owner } = operation
  const isOwn = state.owner === owner
  switch (reply.type) {
    case 'acquired': {
      const isFree = state.owner === undefined || state.expiresAtMs === undefined || reply.timeMs > state.expiresAtMs
      if (!isFree || reply.fence !== state.fence + 1) return []
      return [{ ...state, fence: reply.fence, owner, expiresAtMs: reply.expiresAtMs }]
    }
    case 'held': {
      const isHeld = state.owner === reply.owner && state.fence === reply.fence && reply.timeMs <= reply.expiresAtMs
      return isHeld && matches(state, reply.expiresAtMs) ? [{ ...state, expiresAtMs: reply.expiresAtMs }] : []
    }
    case 'renewed':
      return isOwn ? [{ ...state, expiresAtMs: reply.expiresAtMs }] : []
    case 'released':
      if (isOwn) return [{ ...state, owner: undefined, expiresAtMs: undefined, gone: owner }]
      return state.owner === undefined && state.gone === owner ? [state] : []
    case 'lost':
      return isOwn ? [] : [state]
    case 'stale':
      return state.gone === owner ? [state] : []
  }
}
