import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DemoArguments } from './arguments.ts'
import type { BooksEvidence } from './books-acts.ts'
import { Chronicle, entryLine } from './chronicle.ts'
import type { Worker } from './fleet.ts'
import { Fleet } from './fleet.ts'
import { readJournal } from './journal.ts'
import { type Ledger, startLedger } from './ledger.ts'
import { type Plan, planStorm } from './plan.ts'
import { closing, table, timelines } from './report.ts'
import { DYNAMODB_PACE, MEMORY_PACE, openMemoryRig, type Rig } from './rig.ts'
import { Script } from './script.ts'
import { type Mode, type Phase, perform } from './stage.ts'
import { Storm } from './storm.ts'
import { type Summary, summarize } from './summary.ts'
import type { Transit } from './transit.ts'

const PROCESSES = 5
const WIDTH = 8
const PROVIDER_TIMEOUT_MS = 800
/** After the last answer: frozen processes thaw, and do what they were about to do. */
const SETTLE_LIMIT_MS = 30_000

export interface Performance {
  readonly summary: Summary
  readonly text: string
}

/** One demo, from an empty journal to the count of what is in it. */
export class Play {
  readonly #given: DemoArguments
  readonly #directory = mkdtempSync(join(tmpdir(), 'alonce-demo-'))
  readonly #plan: Plan
  readonly #chronicle: Chronicle
  readonly #storm: Storm
  readonly #script = new Script()
  readonly #cast: Worker[] = []
  #say: (line: string) => void = () => undefined
  #retitle: (answered: number) => void = () => undefined
  #rig: Rig | undefined
  #ledger: Ledger | undefined
  #fleet: Fleet | undefined

  constructor(given: DemoArguments) {
    const { freezeMs, patienceMs, limitMs } = given.store === 'memory' ? MEMORY_PACE : DYNAMODB_PACE
    this.#given = given
    this.#plan = planStorm({ seed: given.seed, payments: given.payments, freezeMs })
    this.#chronicle = new Chronicle((entry) => {
      if (entry.weight === 'notable') this.#say(entryLine(entry))
    })
    this.#storm = new Storm({
      plan: this.#plan,
      chronicle: this.#chronicle,
      width: WIDTH,
      patienceMs,
      limitMs,
      onProgress: (answered) => this.#retitle(answered),
    })
  }

  async run(mode: Mode): Promise<Performance> {
    const startedAt = performance.now()
    let settled = false
    const wait = async (): Promise<void> => {
      settled = (await this.#fleet?.settled(SETTLE_LIMIT_MS)) ?? false
    }
    const thaw = { title: 'Thaw the frozen, and let what is late happen', run: wait }
    let books: BooksEvidence | undefined
    const acts: Phase = {
      title: 'Orders from a queue, and a nightly settlement',
      run: async ({ say }) => {
        books = await this.#playBooks(say)
      },
    }
    await perform([...this.#opening(), this.#rage(), thaw, ...(this.#given.store === 'memory' ? [] : [acts])], mode)
    const journal = readJournal(this.#journal)
    const durationMs = Math.round(performance.now() - startedAt)
    const processes = this.#fleet?.started ?? 0
    const { unprotected } = this.#given
    const summary = summarize({
      given: this.#given,
      plan: this.#plan,
      storm: this.#storm,
      journal,
      durationMs,
      processes,
      settled,
      books,
    })
    const title = `\nThe storm on the ${unprotected ? 'bare handler, without Alonce' : 'payments function'}, seed ${this.#given.seed}\n`
    const stories = `\nWhat happened to some payments\n\n${timelines(this.#plan.payments, this.#chronicle)}\n`
    return { summary, text: [title, table(summary), stories, closing(summary)].join('\n') }
  }

  /** Ends this demo's own processes, by their ids, and nothing else. Safe to call at any time, more than once. */
  stop(): void {
    this.#fleet?.close()
    for (const worker of this.#cast) worker.kill()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async close(): Promise<void> {
    this.stop()
    await this.#ledger?.close()
    await this.#rig?.close()
  }

  get #journal(): string {
    return join(this.#directory, 'journal.jsonl')
  }

  #opening(): Phase[] {
    const { store } = this.#given
    return [
      {
        title: store === 'memory' ? 'Open the store and the ledger' : 'Start DynamoDB Local and the ledger',
        run: () => this.#openServers(),
      },
      { title: `Start ${PROCESSES} processes`, run: () => this.#openFleet() },
    ]
  }

  async #openServers(): Promise<void> {
    writeFileSync(this.#journal, '')
    const transit: Transit = (parcel, apply) => this.#script.transit(parcel, () => this.#storm.transit(parcel, apply))
    this.#rig =
      this.#given.store === 'memory'
        ? await openMemoryRig(transit)
        : await (await import('./dynamodb-rig.ts')).openDynamodbRig(transit)
    const charged = new Set<string>()
    this.#ledger = await startLedger({
      journal: this.#journal,
      declined: this.#plan.declined,
      transit,
      onCharge: ({ paymentId, chargeId }) => {
        const again = charged.has(paymentId)
        charged.add(paymentId)
        this.#chronicle.tell({
          payment: paymentId,
          worker: '',
          text: `${again ? 'CHARGED AGAIN' : 'charged'}: ${chargeId}`,
          weight: again ? 'notable' : 'step',
        })
      },
    })
  }

  async #openFleet(): Promise<void> {
    if (!this.#rig || !this.#ledger) throw new Error('The servers come first')
    const { setup: store, pace } = this.#rig
    const setup = { store, providerUrl: this.#ledger.url, providerTimeoutMs: PROVIDER_TIMEOUT_MS, leaseMs: pace.leaseMs }
    this.#fleet = new Fleet({
      size: PROCESSES,
      setup: { ...setup, unprotected: this.#given.unprotected },
      onEvent: this.#storm.onEvent,
    })
    await this.#fleet.start()
  }

  /** They book in DynamoDB, so they are played where it is. */
  async #playBooks(say: (line: string) => void): Promise<BooksEvidence | undefined> {
    const { setup: store, endpoint, pace } = this.#rig ?? {}
    if (store?.kind !== 'dynamodb-local' || !endpoint) return undefined
    const { playBooks } = await import('./books-acts.ts')
    const { unprotected } = this.#given
    const setup = { store, providerUrl: '', providerTimeoutMs: PROVIDER_TIMEOUT_MS, leaseMs: pace?.leaseMs ?? 3000, unprotected }
    return playBooks({ setup, endpoint, script: this.#script, say, freezeMs: pace?.freezeMs.high ?? 8000, cast: this.#cast })
  }

  #rage(): Phase {
    const { payments, seed } = this.#given
    const title = `Storm on ${payments} payments, seed ${seed}`
    const run: Phase['run'] = async (voice) => {
      this.#say = voice.say
      this.#retitle = (answered) => voice.retitle(`${title}: ${answered} answered`)
      if (this.#fleet) await this.#storm.rage(this.#fleet)
    }
    return { title, run }
  }
}
