import { appendOwn } from './append.ts'
import { type ConfChange, decodeConfChange } from './conf-change.ts'
import { isConfChange, type LogIndex, type MemberId, NO_DATA, NO_TERM, NONE, type Term } from './entry.ts'
import { invariant } from './invariant.ts'
import type { ProposedEntry } from './messages.ts'
import type { RaftState } from './raft-state.ts'
import { reconfigure } from './reconfigure.ts'
import { broadcastAppend } from './replication.ts'

/** Why a proposal did not even get into the leader's log: it is certain that it was not executed, and never will be. */
export type DropReason = 'no-leader' | 'not-leader' | 'transferring' | 'not-member' | 'too-much-uncommitted'

export type Proposed =
  /** In this leader's log, up to `index`. It is decided when an entry with this index is applied: ours if `term` is the same. */
  | { readonly outcome: 'appended'; readonly index: LogIndex; readonly term: Term }
  /** On its way to the leader; how it ends shows only when it is applied, or not. */
  | { readonly outcome: 'forwarded'; readonly to: MemberId }
  /** `lead` is the hint where to ask; `NONE` if there is none. */
  | { readonly outcome: 'dropped'; readonly reason: DropReason; readonly lead: MemberId }
  /** A configuration change that does not fit the configuration in force. */
  | { readonly outcome: 'refused'; readonly reason: string }

/** A client's request (thesis §3.5): the leader appends it and sends it on, a follower passes it to the leader or drops it. */
export function propose(raft: RaftState, entries: readonly ProposedEntry[]): Proposed {
  invariant(entries.length > 0, () => 'nothing is proposed')
  switch (raft.role) {
    case 'leader':
      return proposeAsLeader(raft, entries)
    case 'follower':
      return forward(raft, entries)
    case 'candidate':
    case 'pre-candidate':
      return dropped(raft, 'no-leader')
  }
}

function proposeAsLeader(raft: RaftState, entries: readonly ProposedEntry[]): Proposed {
  if (raft.progress === undefined) return dropped(raft, 'not-member')
  if (raft.transferee !== NONE) return dropped(raft, 'transferring')
  const { pendingConfIndex } = raft
  const checked = checkConfChanges(raft, entries)
  if (!appendOwn(raft, checked.entries)) {
    raft.pendingConfIndex = pendingConfIndex
    return dropped(raft, 'too-much-uncommitted')
  }
  broadcastAppend(raft)
  if (checked.refusal !== undefined) return { outcome: 'refused', reason: checked.refusal }
  return { outcome: 'appended', index: raft.log.lastIndex, term: raft.term }
}

function forward(raft: RaftState, entries: readonly ProposedEntry[]): Proposed {
  if (raft.lead === NONE) return dropped(raft, 'no-leader')
  if (raft.settings.disableProposalForwarding) return dropped(raft, 'not-leader')
  raft.send({ type: 'MsgProp', from: raft.id, to: raft.lead, term: NO_TERM, entries })
  return { outcome: 'forwarded', to: raft.lead }
}

interface Checked {
  readonly entries: readonly ProposedEntry[]
  readonly refusal: string | undefined
}

/** Replaces changes that may not enter the log by empty entries, so that the others keep their indices. */
function checkConfChanges(raft: RaftState, entries: readonly ProposedEntry[]): Checked {
  if (!entries.some(isConfChange)) return { entries, refusal: undefined }
  let refusal: string | undefined
  const checked = entries.map((entry, place) => {
    if (!isConfChange(entry)) return entry
    const problem = raft.settings.disableConfChangeValidation ? undefined : problemOf(raft, decodeConfChange(entry.data))
    refusal ??= problem
    if (problem !== undefined) return EMPTY
    raft.pendingConfIndex = (raft.log.lastIndex + place + 1) as LogIndex
    return entry
  })
  return { entries: checked, refusal }
}

const EMPTY: ProposedEntry = Object.freeze({ kind: 'normal', data: NO_DATA })

/** One change at a time (thesis §4.1), and only one that can be made: every member would have to refuse it otherwise. */
function problemOf(raft: RaftState, change: ConfChange): string | undefined {
  const { pendingConfIndex } = raft
  const { applied } = raft.log
  if (pendingConfIndex > applied) return `possible unapplied conf change at index ${pendingConfIndex} (applied to ${applied})`
  const tried = reconfigure(raft.members.configuration, change)
  return tried.outcome === 'refused' ? tried.reason : undefined
}

const dropped = (raft: RaftState, reason: DropReason): Proposed => ({ outcome: 'dropped', reason, lead: raft.lead })
