import type { Model } from './linearizability.ts'
import type { Seen } from './machine.ts'
import type { Action } from './models.ts'
import type { OnceOperation, OnceReply } from './once.ts'

export interface OnceState {
  readonly status: 'free' | 'running' | 'done'
  readonly fence: number
  readonly attempt: number
  /** Of the attempt that runs, or of the one that is done. */
  readonly owner: string | undefined
  readonly value: string | undefined
  /** Of the lease, or of the retention. `undefined`: by a command whose outcome nobody knows; the next reply settles it. */
  readonly endsAtMs: number | undefined
  /** The latest cluster time that was seen, or that must have been: it never goes back. */
  readonly timeMs: number
  /** Who was there last, and whether somebody else cleared it. */
  readonly gone: string | undefined
  readonly wasForgotten: boolean
}

/** One operation's record, by the rules of the specification; what is written here shares nothing with the transitions. */
export const onceModel: Model<OnceState, Action> = {
  initial: {
    status: 'free',
    fence: 0,
    attempt: 0,
    owner: undefined,
    value: undefined,
    endsAtMs: undefined,
    timeMs: 0,
    gone: undefined,
    wasForgotten: false,
  },
  step(state, action) {
    if (action.type === 'read') return look(state, action.seen)
    const operation = action.operation as OnceOperation
    const reply = action.reply as OnceReply | undefined
    if (reply === undefined) return perhaps(state, operation)
    if (reply.timeMs < state.timeMs) return []
    return told({ ...state, timeMs: reply.timeMs }, operation, reply)
  },
  key: ({ status, fence, attempt, owner, value, endsAtMs, timeMs, gone, wasForgotten }) =>
    `${status} ${fence} ${attempt} ${owner} ${value} ${endsAtMs} ${timeMs} ${gone} ${wasForgotten}`,
}

function look(state: OnceState, { fence, owner, expiresAtMs, result }: Seen): readonly OnceState[] {
  if (state.fence !== fence || state.owner !== owner || state.value !== result) return []
  return matching(state, expiresAtMs)
}

const matching = (state: OnceState, endsAtMs: number | undefined): readonly OnceState[] =>
  state.endsAtMs === undefined || state.endsAtMs === endsAtMs ? [{ ...state, endsAtMs }] : []

const isOwnRun = (state: OnceState, owner: string): boolean => state.status === 'running' && state.owner === owner

/** An attempt that begins, at a time of which it is known only that whoever was there had to be past its end. */
function begun(state: OnceState, owner: string): OnceState {
  return {
    ...state,
    status: 'running',
    fence: state.fence + 1,
    attempt: state.status === 'done' ? 1 : state.attempt + 1,
    owner,
    value: undefined,
    endsAtMs: undefined,
    timeMs: state.endsAtMs === undefined ? state.timeMs : Math.max(state.timeMs, state.endsAtMs + 1),
    gone: state.owner ?? state.gone,
    wasForgotten: state.owner === undefined && state.wasForgotten,
  }
}

const cleared = (state: OnceState, wasForgotten: boolean): OnceState => ({
  ...state,
  status: 'free',
  attempt: wasForgotten ? 0 : state.attempt,
  owner: undefined,
  value: undefined,
  endsAtMs: undefined,
  gone: state.owner,
  wasForgotten,
})

const done = (state: OnceState, value: string): OnceState => ({ ...state, status: 'done', value, endsAtMs: undefined })

/** Not every command that nobody knows of has an effect: leaving it out stands for that. */
function perhaps(state: OnceState, operation: OnceOperation): readonly OnceState[] {
  const { owner } = operation
  const isOwn = isOwnRun(state, owner)
  switch (operation.type) {
    case 'begin':
      return state.owner === owner || state.gone === owner ? [] : [begun(state, owner)]
    case 'extend':
      return isOwn ? [{ ...state, endsAtMs: undefined }] : []
    case 'complete':
      return isOwn ? [done(state, operation.value)] : []
    case 'abandon':
      return isOwn ? [cleared(state, false)] : []
    case 'forget':
      return state.status !== 'free' && state.fence === operation.fence ? [cleared(state, true)] : []
  }
}

function told(state: OnceState, operation: OnceOperation, reply: OnceReply): readonly OnceState[] {
  switch (operation.type) {
    case 'begin':
      return toldOfBegin(state, operation, reply)
    case 'extend':
      return toldOfExtend(state, operation, reply)
    case 'complete':
      return toldOfComplete(state, operation, reply)
    case 'abandon':
      return toldOfAbandon(state, operation, reply)
    case 'forget': {
      const applies = state.status !== 'free' && state.fence === operation.fence
      if (reply.type === 'forgotten') return applies ? [cleared(state, true)] : []
      return reply.type === 'unchanged' && !applies ? [state] : []
    }
  }
}

type Asked<Type extends OnceOperation['type']> = OnceOperation & { readonly type: Type }

function toldOfBegin(state: OnceState, { owner, leaseMs }: Asked<'begin'>, reply: OnceReply): readonly OnceState[] {
  const isOver = state.status === 'free' || state.endsAtMs === undefined || reply.timeMs > state.endsAtMs
  switch (reply.type) {
    case 'started': {
      if (isOwnRun(state, owner)) return reply.fence === state.fence ? matching(state, reply.expiresAtMs) : []
      const next = begun(state, owner)
      const isRight =
        isOver &&
        state.gone !== owner &&
        reply.fence === next.fence &&
        reply.attempt === next.attempt &&
        reply.tookOver === (state.status === 'running') &&
        reply.expiresAtMs === reply.timeMs + leaseMs
      return isRight ? [{ ...next, endsAtMs: reply.expiresAtMs, timeMs: reply.timeMs }] : []
    }
    case 'in-progress': {
      const isThere = state.status === 'running' && state.owner !== owner && state.fence === reply.fence
      return isThere && reply.timeMs <= reply.expiresAtMs ? matching(state, reply.expiresAtMs) : []
    }
    case 'replayed': {
      const isThere = state.status === 'done' && state.fence === reply.fence && state.value === reply.value
      return isThere && reply.timeMs <= reply.expiresAtMs ? matching(state, reply.expiresAtMs) : []
    }
    case 'stale':
      return isOver && (state.gone === owner || (state.status === 'done' && state.owner === owner)) ? [state] : []
    default:
      return []
  }
}

function toldOfExtend(state: OnceState, operation: Asked<'extend'>, reply: OnceReply): readonly OnceState[] {
  const isOwn = isOwnRun(state, operation.owner)
  if (reply.type !== 'extended') return isRefused(operation, reply) && !isOwn ? [state] : []
  const endsAtMs = Math.max(state.endsAtMs ?? 0, reply.timeMs + operation.leaseMs)
  const isRight = state.endsAtMs === undefined ? reply.expiresAtMs >= endsAtMs : reply.expiresAtMs === endsAtMs
  return isOwn && isRight ? [{ ...state, endsAtMs: reply.expiresAtMs }] : []
}

function toldOfComplete(state: OnceState, operation: Asked<'complete'>, reply: OnceReply): readonly OnceState[] {
  const { owner, value, retainMs } = operation
  if (reply.type !== 'completed') return isRefused(operation, reply) && state.owner !== owner ? [state] : []
  if (isOwnRun(state, owner)) return [{ ...done(state, value), endsAtMs: reply.timeMs + retainMs }]
  return state.status === 'done' && state.owner === owner && state.value === value ? [state] : []
}

function toldOfAbandon(state: OnceState, operation: Asked<'abandon'>, reply: OnceReply): readonly OnceState[] {
  const { owner } = operation
  const isAbandoned = state.status === 'free' && state.gone === owner && !state.wasForgotten
  switch (reply.type) {
    case 'abandoned':
      if (isOwnRun(state, owner)) return [cleared(state, false)]
      return isAbandoned ? [state] : []
    case 'kept':
      return state.status === 'done' && state.owner === owner ? [state] : []
    default:
      return reply.type === (operation.resent ? 'gone' : 'lost') && state.owner !== owner && !isAbandoned ? [state] : []
  }
}

/** Who sends again may have been heard before: it is not told that it lost. */
const isRefused = ({ resent }: OnceOperation, { type }: OnceReply): boolean => type === (resent ? 'uncertain' : 'lost')
