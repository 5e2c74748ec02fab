import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PerformanceObserver } from 'node:perf_hooks'
import type { MemberId } from '../../lib/raft/entry.ts'
import { nodeDisk } from '../../lib/raft/log/node-disk.ts'
import type { RaftNode } from '../../lib/raft/node/node.ts'
import { openNode } from '../../lib/raft/node/open.ts'
import { reportToParent } from './child.ts'
import { encodeAcquire, keyOf, LocksMachine } from './raft-machine.ts'

export interface StallWish {
  readonly records: number
  readonly snapshots: number
}

/** Milliseconds, one figure for each snapshot: what anybody who asks meanwhile waits longer. */
export interface Stall {
  /** The longest turn of the event loop while a snapshot was written, and in the time before it. */
  readonly during: readonly number[]
  readonly without: readonly number[]
  /** The longest garbage collection of each snapshot's time: a part of its longest turn. */
  readonly collections: readonly number[]
  readonly snapshotMs: readonly number[]
  readonly answers: number
}

const CLIENTS = 64

async function measureStall(directory: string, { records, snapshots }: StallWish): Promise<Stall> {
  const machine = new LocksMachine()
  const spans = new Spans()
  const node = await openNode({
    clusterId: 'bench',
    id: 1 as MemberId,
    start: 'found',
    founders: [1 as MemberId],
    disk: await nodeDisk(directory),
    machine,
    network: { send: () => undefined },
    loop: { soon: (work) => void setImmediate(work), every },
    clock: { monotonic: () => performance.now() },
    random: { fraction: () => Math.random() },
    snapshotEntries: 500,
    observer: { snapshotTaken: () => spans.end() },
  })
  await until(() => node.status().role === 'leader')
  machine.fill(records)
  machine.onSnapshot = () => spans.begin()
  const load = new Load(node, records, spans)
  load.begin()
  // The first one is for warming up.
  await until(() => spans.during.length > snapshots)
  load.stop()
  await node.stop()
  const [during, without, collections, snapshotMs] = [spans.during, spans.without, spans.collections, spans.lengths].map((all) =>
    all.slice(1),
  ) as [number[], number[], number[], number[]]
  return { during, without, collections, snapshotMs, answers: load.answers }
}

/** The times of snapshots and those between them, and the longest turn and collection of each. */
class Spans {
  readonly during: number[] = []
  readonly without: number[] = []
  readonly collections: number[] = []
  readonly lengths: number[] = []
  #began = 0
  #longest = 0
  #longestCollection = 0

  constructor() {
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) this.#longestCollection = Math.max(this.#longestCollection, duration)
    }).observe({ entryTypes: ['gc'] })
  }

  turn(ms: number): void {
    this.#longest = Math.max(this.#longest, ms)
  }

  begin(): void {
    this.#began = performance.now()
    this.without.push(this.#longest)
    this.#longest = 0
    this.#longestCollection = 0
  }

  end(): void {
    this.lengths.push(performance.now() - this.#began)
    this.during.push(this.#longest)
    this.collections.push(this.#longestCollection)
    this.#longest = 0
  }
}

/** Clients that each wait for an answer before they ask again, and a look at every turn of the loop. */
class Load {
  answers = 0
  readonly #node: RaftNode
  readonly #records: number
  readonly #spans: Spans
  #stopped = false

  constructor(node: RaftNode, records: number, spans: Spans) {
    this.#node = node
    this.#records = records
    this.#spans = spans
  }

  begin(): void {
    for (let client = 0; client < CLIENTS; client++) this.#open(client)
    this.#look(performance.now())
  }

  stop(): void {
    this.#stopped = true
  }

  #look(before: number): void {
    const now = performance.now()
    this.#spans.turn(now - before)
    if (!this.#stopped) setImmediate(() => this.#look(now))
  }

  #open(client: number): void {
    this.#node.openSession((outcome) => {
      if (outcome.outcome === 'executed') this.#ask(client, Number(Buffer.from(outcome.reply).readBigUInt64LE(0)), 1)
    })
  }

  #ask(client: number, session: number, sequence: number): void {
    const payload = encodeAcquire(keyOf(Math.floor(Math.random() * this.#records)), `client-${client}-${sequence}`)
    this.#node.submit({ session, sequence, acknowledged: sequence - 1, payload }, () => {
      this.answers++
      if (!this.#stopped) this.#ask(client, session, sequence + 1)
    })
  }
}

function every(ms: number, work: () => void): () => void {
  const timer = setInterval(work, ms)
  return () => clearInterval(timer)
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

await reportToParent(async ({ records, snapshots }: StallWish): Promise<Stall> => {
  const directory = mkdtempSync(join(tmpdir(), 'alonce-stall-'))
  try {
    return await measureStall(directory, { records, snapshots })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
