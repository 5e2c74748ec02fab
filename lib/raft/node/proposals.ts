import type { ConfChange } from '../core/conf-change.ts'
import { type Entry, isConfChange, type LogIndex, type MemberId, type Term } from '../core/entry.ts'
import type { Proposed } from '../core/proposal.ts'
import type { RaftCore } from '../core/raft-core.ts'
import { type Command, commandBytes, encodeBatch } from './batch.ts'
import { type ChangeOutcome, type CommandOutcome, notExecuted, type Refusal, UNKNOWN } from './outcome.ts'
import type { Answer } from './sessions.ts'

export type CommandDone = (outcome: CommandOutcome) => void
export type ChangeDone = (outcome: ChangeOutcome) => void

interface Collected {
  readonly command: Command
  readonly done: CommandDone
}

/** An entry of ours in the log, and who waits for it. */
interface Waiting {
  readonly term: Term
  readonly deadline: number
  readonly commands: readonly CommandDone[]
  readonly change: ChangeDone | undefined
}

export interface Stamp {
  readonly timeMs: number
  readonly version: number
  readonly maxBatchBytes: number
  readonly deadline: number
}

/** Commands on their way into the log and through it. */
export class Proposals {
  readonly #maxPending: number
  #collected: Collected[] = []
  #bytes = 0
  readonly #waiting = new Map<LogIndex, Waiting>()
  #waitingCommands = 0

  constructor(maxPending: number) {
    this.#maxPending = maxPending
  }

  get collectedBytes(): number {
    return this.#bytes
  }

  get hasCollected(): boolean {
    return this.#collected.length > 0
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0
  }

  add(command: Command, done: CommandDone): void {
    if (this.#collected.length + this.#waitingCommands >= this.#maxPending) {
      done(notExecuted('overloaded', 0 as MemberId))
      return
    }
    this.#collected.push({ command, done })
    this.#bytes += commandBytes(command)
  }

  /** Puts all that was collected into entries with one stamp, together or not at all. */
  propose(core: RaftCore, stamp: Stamp): void {
    const batches = split(this.#collected, stamp.maxBatchBytes)
    this.#collected = []
    this.#bytes = 0
    if (batches.length === 0) return
    const data = batches.map((batch) => encodeBatch({ ...stamp, commands: batch.map(({ command }) => command) }))
    const proposed = core.propose(...data)
    if (proposed.outcome !== 'appended') {
      for (const batch of batches) for (const { done } of batch) done(dropped(proposed))
      return
    }
    const { term, index } = proposed
    for (const [place, batch] of batches.entries()) {
      const at = (index - batches.length + 1 + place) as LogIndex
      this.#wait(at, { term, deadline: stamp.deadline, commands: batch.map(({ done }) => done), change: undefined })
    }
  }

  /** An entry that says only how late it is. */
  proposeTime(core: RaftCore, stamp: Stamp): void {
    const proposed = core.propose(encodeBatch({ ...stamp, commands: [] }))
    if (proposed.outcome !== 'appended') return
    const { term, index } = proposed
    this.#wait(index, { term, deadline: stamp.deadline, commands: [], change: undefined })
  }

  proposeChange(core: RaftCore, change: ConfChange, { deadline, done }: { deadline: number; done: ChangeDone }): void {
    const proposed = core.proposeConfChange(change)
    if (proposed.outcome === 'refused') done({ outcome: 'refused', reason: proposed.reason })
    else if (proposed.outcome !== 'appended') done(dropped(proposed))
    else this.#wait(proposed.index, { term: proposed.term, deadline, commands: [], change: done })
  }

  #wait(index: LogIndex, waiting: Waiting): void {
    const replaced = this.#waiting.get(index)
    this.#waiting.set(index, waiting)
    this.#waitingCommands += waiting.commands.length
    // We led before, and lead again with another entry here. The old one may live on elsewhere, and be committed by another
    // leader yet (the paper's figure 8): only what is applied at its place tells.
    if (replaced) this.#leave(replaced)
  }

  /** The entry at this place is decided. */
  applied(entry: Entry, answers: readonly Answer[], lead: MemberId): void {
    const waiting = this.#waiting.get(entry.index)
    if (!waiting) return
    this.#waiting.delete(entry.index)
    if (waiting.term !== entry.term) {
      this.#refuseAll(waiting, 'superseded', lead)
      return
    }
    this.#waitingCommands -= waiting.commands.length
    if (isConfChange(entry)) waiting.change?.({ outcome: 'changed' })
    for (const [place, done] of waiting.commands.entries()) {
      const answer = answers[place]
      done(answer?.outcome === 'executed' ? { ...answer, index: entry.index } : (answer ?? UNKNOWN))
    }
  }

  /** A snapshot took the place of everything up to `index`: what became of the commands in it shows only in their sessions. */
  skippedTo(index: LogIndex): void {
    for (const [at, waiting] of this.#waiting) if (at <= index) this.#giveUp(at, waiting)
  }

  expire(tick: number): void {
    for (const [at, waiting] of this.#waiting) if (waiting.deadline <= tick) this.#giveUp(at, waiting)
  }

  refuseCollected(reason: Refusal, lead: MemberId): void {
    const refused = this.#collected
    this.#collected = []
    this.#bytes = 0
    for (const { done } of refused) done(notExecuted(reason, lead))
  }

  stop(): void {
    this.refuseCollected('not-leader', 0 as MemberId)
    for (const [at, waiting] of this.#waiting) this.#giveUp(at, waiting)
  }

  #giveUp(at: LogIndex, waiting: Waiting): void {
    this.#waiting.delete(at)
    this.#leave(waiting)
  }

  #leave(waiting: Waiting): void {
    this.#waitingCommands -= waiting.commands.length
    waiting.change?.(UNKNOWN)
    for (const done of waiting.commands) done(UNKNOWN)
  }

  #refuseAll(waiting: Waiting, reason: Refusal, lead: MemberId): void {
    this.#waitingCommands -= waiting.commands.length
    waiting.change?.(notExecuted(reason, lead))
    for (const done of waiting.commands) done(notExecuted(reason, lead))
  }
}

function dropped(proposed: Proposed): ReturnType<typeof notExecuted> {
  const isFull = proposed.outcome === 'dropped' && proposed.reason === 'too-much-uncommitted'
  return notExecuted(isFull ? 'overloaded' : 'not-leader', proposed.outcome === 'dropped' ? proposed.lead : (0 as MemberId))
}

function split(collected: readonly Collected[], maxBytes: number): readonly (readonly Collected[])[] {
  const batches: Collected[][] = []
  let bytes = 0
  for (const item of collected) {
    bytes += commandBytes(item.command)
    const last = batches.at(-1)
    if (last && bytes <= maxBytes) last.push(item)
    else {
      batches.push([item])
      bytes = commandBytes(item.command)
    }
  }
  return batches
}
