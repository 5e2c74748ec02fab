import type { ApplyMoment, StateMachine } from '../../../lib/raft/node/ports.ts'
import { bytes, text } from './text.ts'

/** Notes what is done with it. The reply to a command is its place and itself. */
export class NotedMachine implements StateMachine {
  notes: string[] = []
  executed: string[] = []
  times: number[] = []
  /** When something is to expire. */
  dueAt: number | undefined

  advanceTo(timeMs: number): void {
    this.notes.push(`advance to ${timeMs}`)
    this.times.push(timeMs)
    if (this.dueAt !== undefined && timeMs >= this.dueAt) this.dueAt = undefined
  }

  dueAtMs(): number | undefined {
    return this.dueAt
  }

  apply(command: Uint8Array, { timeMs, version }: ApplyMoment): Uint8Array {
    const name = text(command)
    this.notes.push(`${name} at ${timeMs} by ${version}`)
    this.executed.push(name)
    return bytes(`${this.executed.length}:${name}`)
  }

  snapshot(): Iterable<Uint8Array> {
    return this.executed.map(bytes)
  }

  async restore(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    this.executed = []
    for await (const piece of pieces) this.executed.push(text(piece))
  }
}
