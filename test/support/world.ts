import { setTimeout as realDelay, setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../lib/runtime/clock.ts'
import type { Random } from '../../lib/runtime/random.ts'
import type { Runtime } from '../../lib/runtime/runtime.ts'
import type { Timer } from '../../lib/runtime/timer.ts'

/**
 * Virtual time for one test: true time moves only when the test says so, and each client sees it through clocks of its
 * own, which may be wrong, frozen, or gone. Real I/O (DynamoDB Local) takes no virtual time: `track` it, and time waits.
 */
export class World {
  /** True time, epoch milliseconds. */
  now = Date.UTC(2026, 0, 15, 12)
  #inFlight = 0
  #clients: SimulatedClient[] = []
  #ids = 0

  client(options: ClientOptions = {}): SimulatedClient {
    const client = new SimulatedClient(this, `c${this.#clients.length}`, options)
    this.#clients.push(client)
    return client
  }

  nextId(): number {
    return ++this.#ids
  }

  /** Real I/O under way: virtual time stands still until it is done. */
  async track<T>(work: Promise<T>): Promise<T> {
    this.#inFlight++
    try {
      return await work
    } finally {
      this.#inFlight--
    }
  }

  /** Lets everything happen that can happen now. */
  async settle(): Promise<void> {
    const patience = Date.now() + 20_000
    for (let quiet = 0; quiet < 4; quiet++) {
      await turn()
      if (this.#inFlight > 0) {
        quiet = -1
        if (Date.now() > patience) throw new Error('World.settle: a tracked request has not answered for 20 s')
      }
    }
  }

  /** Moves true time by `ms`, firing every timer on the way at its own moment. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms
    await this.settle()
    for (let due = this.#nextDue(); due !== undefined && due <= end; due = this.#nextDue()) {
      this.now = Math.max(this.now, due)
      await this.#fireDue()
    }
    this.now = end
    await this.settle()
  }

  /** Moves true time from timer to timer until `promise` settles. */
  async run<T>(promise: Promise<T>, limitMs = 3_600_000): Promise<T> {
    let settled = false
    const done = (): void => {
      settled = true
    }
    promise.then(done, done)
    const end = this.now + limitMs
    const patience = Date.now() + 25_000
    for (;;) {
      await this.settle()
      if (settled) return promise
      const due = this.#nextDue()
      if (due !== undefined && due > end) throw new Error(`World.run: not settled within ${limitMs} virtual ms`)
      if (due === undefined) {
        await realDelay(1)
        if (Date.now() > patience) throw new Error('World.run: nothing left to happen, and the promise has not settled')
      } else {
        this.now = Math.max(this.now, due)
        await this.#fireDue()
      }
    }
  }

  #nextDue(): number | undefined {
    let due: number | undefined
    for (const client of this.#clients) {
      const next = client.nextDue()
      if (next !== undefined && (due === undefined || next < due)) due = next
    }
    return due
  }

  async #fireDue(): Promise<void> {
    for (const client of this.#clients) client.fireDue()
    await this.settle()
  }
}

export interface ClientOptions {
  /** The client's wall clock is wrong by this much. */
  readonly wallOffsetMs?: number
}

interface Pending {
  readonly dueAt: number
  readonly order: number
  readonly action: () => void
}

/** A process, or a Lambda environment, as the code inside it sees the world. */
export class SimulatedClient implements Runtime {
  readonly world: World
  readonly name: string
  wallOffsetMs: number
  /** Time spent frozen, by which the monotonic clock is behind. */
  #lostMs = 0
  #frozenAt: number | undefined
  #timers = new Set<Pending>()
  #dead = false

  constructor(world: World, name: string, options: ClientOptions) {
    this.world = world
    this.name = name
    this.wallOffsetMs = options.wallOffsetMs ?? 0
  }

  readonly clock: Clock = {
    wall: () => this.world.now + this.wallOffsetMs,
    monotonic: () => (this.#frozenAt ?? this.world.now) - this.#lostMs - Date.UTC(2026, 0, 1),
  }

  readonly random: Random = {
    id: () => `${this.name}-${this.world.nextId()}`,
    // A fixed sequence that is spread over [0, 1): jitter without chance.
    fraction: () => (this.world.nextId() * 0.618_033_988_749_895) % 1,
  }

  readonly timer: Timer = {
    after: (ms, action) => {
      const pending = { dueAt: this.world.now + Math.max(0, ms), order: this.world.nextId(), action }
      this.#timers.add(pending)
      return () => this.#timers.delete(pending)
    },
  }

  /** Timers that are set and have not fired: a test can see that nothing was left running. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** As Lambda between invocations, or SIGSTOP: no timer fires, the monotonic clock stops, the wall clock goes on. */
  freeze(): void {
    this.#frozenAt ??= this.world.now
  }

  thaw(): void {
    if (this.#frozenAt === undefined) return
    this.#lostMs += this.world.now - this.#frozenAt
    this.#frozenAt = undefined
    this.fireDue()
  }

  /** The process is gone: nothing of it ever runs again. */
  kill(): void {
    this.#dead = true
    this.#timers.clear()
  }

  nextDue(): number | undefined {
    if (this.#dead || this.#frozenAt !== undefined) return undefined
    let due: number | undefined
    for (const timer of this.#timers) if (due === undefined || timer.dueAt < due) due = timer.dueAt
    return due
  }

  fireDue(): void {
    if (this.#dead || this.#frozenAt !== undefined) return
    const due = [...this.#timers].filter((timer) => timer.dueAt <= this.world.now)
    for (const timer of due.sort((a, b) => a.dueAt - b.dueAt || a.order - b.order)) {
      if (this.#timers.delete(timer)) timer.action()
    }
  }
}
