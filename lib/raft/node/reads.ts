import type { RaftCore } from '../core/raft-core.ts'
import type { ReadState } from '../core/ready.ts'
import type { LogIndex, MemberId } from '../entry.ts'
import { notExecuted, type ReadOutcome } from './outcome.ts'

export type ReadDone = (outcome: ReadOutcome) => void

interface Asked {
  readonly context: number
  readonly waiting: readonly ReadDone[]
  readonly deadline: number
  /** Once it is known. */
  index: LogIndex | undefined
}

/**
 * Reads without a write to the log (thesis §6.4). All that come in one turn ask with one question, however many they are.
 *
 * Questions are numbered from a random number on: the answer to one that this member asked before it crashed says nothing about
 * what was acknowledged since.
 */
export class Reads {
  #collected: ReadDone[] = []
  #asked: Asked[] = []
  #nextContext: number

  constructor(fraction: number) {
    this.#nextContext = 1 + Math.floor(fraction * 2 ** 50)
  }

  get waiting(): number {
    return this.#collected.length + this.#asked.length
  }

  add(done: ReadDone): void {
    this.#collected.push(done)
  }

  /** Asks for all that have been collected. */
  ask(core: RaftCore, { deadline, lead }: { readonly deadline: number; readonly lead: MemberId }): void {
    if (this.#collected.length === 0) return
    const waiting = this.#collected
    this.#collected = []
    const context = this.#nextContext++
    if (core.readIndex(context) === 'pending') this.#asked.push({ context, waiting, deadline, index: undefined })
    else refuse(waiting, lead)
  }

  answered({ context, index }: ReadState): void {
    const asked = this.#asked.find((other) => other.context === context)
    if (asked) asked.index = index
  }

  /** The state has everything up to `applied`. */
  serve(applied: LogIndex, timeMs: number): void {
    const isDue = ({ index }: Asked): boolean => index !== undefined && index <= applied
    const due = this.#asked.filter(isDue)
    if (due.length === 0) return
    this.#asked = this.#asked.filter((asked) => !isDue(asked))
    for (const { waiting } of due) for (const done of waiting) done({ outcome: 'ready', index: applied, timeMs })
  }

  /** The leader has changed, or stepped down: it may never answer. Who has an index already can still be served. */
  leaderChanged(lead: MemberId): void {
    this.#refuse((asked) => asked.index === undefined, lead)
  }

  expire(tick: number, lead: MemberId): void {
    this.#refuse((asked) => asked.deadline <= tick, lead)
  }

  stop(): void {
    refuse(this.#collected, 0 as MemberId)
    this.#collected = []
    this.#refuse(() => true, 0 as MemberId)
  }

  #refuse(which: (asked: Asked) => boolean, lead: MemberId): void {
    const refused = this.#asked.filter(which)
    if (refused.length === 0) return
    this.#asked = this.#asked.filter((asked) => !refused.includes(asked))
    for (const { waiting } of refused) refuse(waiting, lead)
  }
}

function refuse(waiting: readonly ReadDone[], lead: MemberId): void {
  for (const done of waiting) done(notExecuted('not-leader', lead))
}
