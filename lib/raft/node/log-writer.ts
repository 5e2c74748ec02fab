import type { Entry, HardState, LogIndex, Snapshot } from '../core/entry.ts'
import type { MsgStorageAppend } from '../core/messages.ts'
import { isLogFailure } from '../log/failure.ts'
import type { RaftLog } from '../log/log.ts'

export interface LogWriterPorts {
  readonly log: RaftLog
  /** Installs a snapshot with what follows it, and restores the state from it; resolves when both are done. */
  readonly install: (snapshot: Snapshot, follows: Durable) => Promise<void>
  /** The work is durable: its responses may go out. */
  readonly written: (work: MsgStorageAppend) => void
  readonly changed: () => void
  readonly failed: (error: unknown) => void
}

/** What has to be on the disk before anybody hears of it. */
export interface Durable {
  readonly entries: readonly Entry[]
  readonly hardState: HardState | undefined
}

/** Far below the most that the log takes in one batch. */
const MAX_WRITE_BYTES = 8 * 1024 * 1024

/**
 * Carries out the protocol's writes, in order: one at a time, and while it is under way all that comes is gathered for the
 * next (group commit). Joining writes is safe: it is what they would have come to one after the other, without a crash in between.
 */
export class LogWriter {
  readonly #ports: LogWriterPorts
  #queue: MsgStorageAppend[] = []
  #busy = false
  #stopped = false
  #full = false
  /** A commit index that need not be flushed on its own: it goes with the next write. */
  #deferred: HardState | undefined

  constructor(ports: LogWriterPorts) {
    this.#ports = ports
  }

  get isBusy(): boolean {
    return this.#busy || this.#queue.length > 0
  }

  /** The disk has no room: nothing was written since, and nothing is acknowledged. */
  get isFull(): boolean {
    return this.#full
  }

  get isInstalling(): boolean {
    return this.#queue.some(({ snapshot }) => snapshot !== undefined)
  }

  enqueue(work: MsgStorageAppend): void {
    this.#queue.push(work)
    if (!this.#full) this.#start()
  }

  /** Perhaps there is room again. */
  retry(): void {
    if (this.#full) this.#start()
  }

  stop(): void {
    this.#stopped = true
    this.#queue = []
  }

  #start(): void {
    if (this.#busy || this.#stopped || this.#queue.length === 0) return
    this.#busy = true
    this.#run().catch((error: unknown) => this.#ports.failed(error))
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0 && !this.#stopped) {
      const works = this.#next()
      try {
        await this.#write(works)
      } catch (error) {
        if (this.#stopped) return
        if (!isLogFailure(error, 'LOG_FULL')) throw error
        this.#full = true
        break
      }
      if (this.#stopped) return
      this.#full = false
      this.#queue.splice(0, works.length)
      for (const work of works) this.#ports.written(work)
      this.#ports.changed()
    }
    this.#busy = false
    this.#ports.changed()
  }

  /** As many as make one batch. A snapshot goes alone. */
  #next(): readonly MsgStorageAppend[] {
    let bytes = 0
    const end = this.#queue.findIndex((work, place) => {
      for (const { data } of work.entries) bytes += data.length
      return place > 0 && (work.snapshot !== undefined || this.#queue[0]?.snapshot !== undefined || bytes > MAX_WRITE_BYTES)
    })
    return this.#queue.slice(0, end < 0 ? this.#queue.length : end)
  }

  async #write(works: readonly MsgStorageAppend[]): Promise<void> {
    const hardState = works.findLast((work) => work.hardState !== undefined)?.hardState ?? this.#deferred
    const [first] = works
    if (first?.snapshot) {
      await this.#ports.install(first.snapshot, { entries: first.entries, hardState })
      this.#deferred = undefined
      return
    }
    if (!works.some(({ mustSync }) => mustSync)) {
      this.#deferred = hardState
      return
    }
    await this.#ports.log.append({ entries: joined(works), hardState })
    this.#deferred = undefined
  }
}

/** Each replaces what those before it have from its first index on. */
function joined(works: readonly MsgStorageAppend[]): readonly Entry[] {
  let entries: Entry[] = []
  for (const work of works) {
    const first: LogIndex | undefined = work.entries[0]?.index
    if (first === undefined) continue
    const start = entries[0]?.index ?? first
    entries = first <= start ? [...work.entries] : [...entries.slice(0, first - start), ...work.entries]
  }
  return entries
}
