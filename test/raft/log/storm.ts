import type { Entry, SnapshotMeta } from '../../../lib/raft/entry.ts'
import type { Disk } from '../../../lib/raft/log/disk.ts'
import type { Append, RaftLog } from '../../../lib/raft/log/log.ts'
import type { openLog } from '../../../lib/raft/log/open.ts'
import { mulberry32, SimulatedDisk, type SimulatedDiskOptions } from '../../simulation/disk.ts'
import { appended, installed, Ledger, lastOf, type State } from './ledger.ts'
import { at, entry, hardState, identity, meta, slicesOf, small } from './sample.ts'

export interface StormOptions {
  readonly openLog: typeof openLog
  /** Crashes in one run. Default: 4. */
  readonly crashes?: number
  /** For negative controls: the disk as the log sees it. */
  readonly wrap?: (disk: Disk) => Disk
  readonly disk?: SimulatedDiskOptions
}

export interface StormReport {
  /** `undefined`: everything that was acknowledged is there, and nothing that nobody asked for. */
  readonly problem: string | undefined
  readonly counts: Readonly<Record<'appends' | 'snapshots' | 'installs' | 'crashes' | 'full' | 'dead' | 'cuts', number>>
}

/**
 * One run: appends (several under way), replaced suffixes, snapshots beside them, installations, full and failing disks; a crash
 * at any operation, by a kill or a power cut, also while a crash is being recovered from; then a look at what is there.
 */
export async function storm(seed: number, options: StormOptions): Promise<StormReport> {
  return await new Storm(seed, options).run()
}

class Storm {
  readonly #random: () => number
  readonly #options: StormOptions
  readonly #ledger = new Ledger()
  readonly #counts = { appends: 0, snapshots: 0, installs: 0, crashes: 0, full: 0, dead: 0, cuts: 0 }
  #disk: SimulatedDisk
  #opened = false
  #term = 1

  constructor(seed: number, options: StormOptions) {
    this.#random = mulberry32(seed)
    this.#options = options
    this.#disk = new SimulatedDisk({ ...options.disk, seed })
  }

  async run(): Promise<StormReport> {
    try {
      return await this.#rounds()
    } catch (error) {
      return { problem: `it breaks: ${String(error)}`, counts: this.#counts }
    }
  }

  async #rounds(): Promise<StormReport> {
    for (let crash = 0; crash <= (this.#options.crashes ?? 4); crash++) {
      const log = await this.#open()
      if (typeof log === 'string') return { problem: log, counts: this.#counts }
      const problem = await this.#ledger.problemWith(log)
      if (problem) return { problem, counts: this.#counts }
      this.#disk.stopAt(this.#disk.begun + 1 + this.#below(80))
      while (!(await this.#step(log)));
      this.#crash()
    }
    return { problem: undefined, counts: this.#counts }
  }

  /** Until it opens: it may crash on the way, in any state. */
  async #open(): Promise<RaftLog | string> {
    for (;;) {
      if (this.#chance(0.4)) this.#disk.stopAt(this.#disk.begun + 1 + this.#below(30))
      try {
        const wrapped = this.#options.wrap?.(this.#disk) ?? this.#disk
        const log = await this.#options.openLog(wrapped, identity, { ...small, emptyDisk: this.#opened ? 'refuse' : 'create' })
        this.#opened = true
        if (this.#disk.stopped) throw Object.assign(new Error('stopped behind it'), { code: 'LOG_DEAD' })
        this.#disk.stopAt(Number.POSITIVE_INFINITY)
        if (log.cut) this.#counts.cuts++
        return log
      } catch (error) {
        if (codeOf(error) !== 'LOG_DEAD') return `it does not open: ${String(error)}`
        this.#crash()
      }
    }
  }

  #crash(): void {
    this.#counts.crashes++
    this.#disk = this.#disk.crash(this.#chance(0.4) ? 'process' : 'power', this.#below(2 ** 31), {
      ...this.#options.disk,
      seed: this.#below(2 ** 31),
    })
  }

  /** Says whether the log is dead. */
  async #step(log: RaftLog): Promise<boolean> {
    if (this.#chance(0.04)) this.#disk.fail({ operation: 'write', code: 'ENOSPC', after: this.#below(3) })
    if (this.#chance(0.02))
      this.#disk.fail({ operation: this.#chance(0.5) ? 'write' : 'sync', code: 'EIO', after: this.#below(3) })
    const work: Promise<unknown>[] = []
    let state = this.#ledger.acknowledged
    if (this.#chance(0.06)) work.push(this.#install(log, state))
    else {
      if (this.#chance(0.12) && lastOf(state) > 0) work.push(this.#snapshot(log, state))
      for (let i = 0; i <= this.#below(3); i++) {
        const append = this.#draw(state)
        state = appended(state, append)
        work.push(this.#append(log, append, state))
      }
    }
    const results = await Promise.allSettled(work)
    const codes = results.map((result) => (result.status === 'rejected' ? codeOf(result.reason) : 'done'))
    if (codes.includes('LOG_DEAD')) this.#counts.dead++
    if (codes.includes('LOG_FULL')) this.#counts.full++
    return codes.includes('LOG_DEAD')
  }

  async #append(log: RaftLog, append: Append, state: State): Promise<void> {
    this.#ledger.ask(state)
    await log.append(append)
    this.#ledger.acknowledge(state)
    this.#counts.appends++
  }

  async #snapshot(log: RaftLog, state: State): Promise<void> {
    const index = Math.max(state.hardState.commit, 0)
    const term = log.term(at(index))
    if (index <= (log.snapshot?.index ?? 0) || term === undefined) return
    await this.#take(log, meta(index, term))
    await log.compact(at(index - this.#below(Math.min(3, index))))
    this.#counts.snapshots++
  }

  async #take(log: RaftLog, snapshot: SnapshotMeta): Promise<void> {
    this.#ledger.askSnapshot(snapshot)
    await log.createSnapshot(snapshot, slicesOf(snapshot.index))
    this.#ledger.acknowledgeSnapshot(snapshot)
  }

  async #install(log: RaftLog, state: State): Promise<void> {
    const index = Math.max(state.hardState.commit, log.snapshot?.index ?? 0) + 1 + this.#below(6)
    const known = log.term(at(index))
    const term = known !== undefined && this.#chance(0.5) ? known : ++this.#term
    const snapshot = meta(index, term)
    const follows: Append = this.#chance(0.5)
      ? {}
      : {
          entries: known === term ? [] : [entry(index + 1, term)],
          hardState: hardState(Math.max(term, state.hardState.term + 1), 2, index),
        }
    const after = installed(state, snapshot, follows)
    this.#ledger.ask(installed(state, snapshot, {}))
    this.#ledger.ask(after)
    this.#ledger.askSnapshot(snapshot)
    await this.#finish(log, snapshot, follows)
    this.#ledger.acknowledge(after)
    this.#ledger.acknowledgeSnapshot(snapshot)
    this.#counts.installs++
  }

  /** A full disk is no end: the leader sends the snapshot again. */
  async #finish(log: RaftLog, snapshot: SnapshotMeta, follows: Append): Promise<void> {
    for (;;) {
      try {
        return await log.installSnapshot(snapshot, slicesOf(snapshot.index), follows)
      } catch (error) {
        if (codeOf(error) !== 'LOG_FULL') throw error
        this.#counts.full++
      }
    }
  }

  #draw(state: State): Append {
    const last = lastOf(state)
    const { term, vote, commit } = state.hardState
    const kept = Math.max(commit, state.base, this.#ledger.snapshot?.index ?? 0)
    const from = this.#chance(0.2) ? kept + 1 + this.#below(last - kept + 1) : last + 1
    if (from <= last || this.#chance(0.2)) this.#term++
    const entries = Array.from({ length: this.#below(5) }, (_, i): Entry => entry(from + i, this.#term, this.#data()))
    const end = entries.at(-1)?.index ?? last
    if (entries.length > 0 && this.#chance(0.4)) return { entries }
    const next = Math.max(term, this.#term)
    return {
      entries,
      hardState: hardState(next, next > term ? this.#below(4) : vote, commit + this.#below(Math.max(0, end - commit) + 1)),
    }
  }

  /** Often zeros, which look like bytes that were never written. */
  #data(): Uint8Array {
    const data = new Uint8Array(this.#chance(0.1) ? this.#below(9000) : this.#below(700))
    if (this.#chance(0.6)) for (let i = 0; i < data.length; i++) data[i] = this.#below(256)
    return data
  }

  #chance(probability: number): boolean {
    return this.#random() < probability
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}

const codeOf = (error: unknown): unknown => {
  const { code } = error as { code?: unknown }
  if (code !== 'LOG_DEAD' && code !== 'LOG_FULL' && !String(code).startsWith('LOG_')) throw error
  return code
}
