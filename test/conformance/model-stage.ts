import { randomUUID } from 'node:crypto'
import type { Command, CommandType, Hint, LockAcquire, Reply } from '../../lib/store/command.ts'
import { isAlonceError } from '../../lib/store/errors.ts'
import { lockKey } from '../../lib/store/key.ts'
import type { AlonceRecord, Fence, RecordKey } from '../../lib/store/record.ts'
import type { SendOptions, Store } from '../../lib/store/store.ts'
import type { TokenCompletion } from '../../lib/store/transaction.ts'
import type { Ghost, RequestType, Wire } from '../../lib/testing/wire.ts'
import type { Shared } from '../support/backends.ts'
import type { World } from '../support/world.ts'
import { type Observed, verdict } from './model.ts'
import { type Act, type Kind, type Mishap, type Move, OPENS } from './model-script.ts'
import { resultOf, type Variant } from './script.ts'

interface Client {
  readonly store: Store
  readonly wire: Wire
}

interface Sent {
  readonly client: Client
  readonly command: Command
  readonly sentMs: number
  /** By the store's clock: what the caller says when it sends the command again. */
  readonly firstSentAtMs: number
  readonly ghost: Ghost | undefined
}

/** Commands that a store may do as "read, then write if it is still so": a mishap that meets the reading unsettles nothing. */
const SELDOM: ReadonlySet<CommandType> = new Set(['lock.break', 'once.retire', 'once.forget'])

/** No client of ours sends one request more often than this within the time of a call. */
const MOST_SENDINGS = 4
/** What a sender that queues has seen, or believes: all three with each state of the lock. */
const QUEUE_HINTS: { readonly [leaseMs: number]: LockAcquire['hint'] } = { 3000: 'free', 5000: 'queue' }

/** The applications that a mishap permits: one entry for each time that the command may have reached the record. */
export function sequencesOf(command: Command, mishap: Mishap, resent: boolean): readonly (readonly boolean[])[] {
  const looksFirst = SELDOM.has(command.type) || (command.type === 'lock.acquire' && command.queueMs !== undefined)
  const undisturbed = looksFirst ? [[resent]] : []
  switch (mishap) {
    case 'none':
    case 'throttle':
      return [[resent]]
    case 'drop-request':
      return [[true], ...undisturbed]
    case 'drop-answer':
      // A hot expression may refuse more than the function: then the sending whose answer was lost has changed nothing.
      return [[resent, true], [true], ...undisturbed]
    case 'outage-unseen':
      return [[]]
    case 'outage':
    case 'held':
      return Array.from({ length: MOST_SENDINGS + 1 }, (_, times) =>
        Array.from({ length: times }, (_, index) => resent || index > 0),
      )
  }
}

/** Runs a script on a real store, and compares each step with what the pure functions permit. */
export class ModelStage {
  readonly counts = new Map<string, number>()
  readonly #world: World
  readonly #shared: Shared
  readonly #clients: readonly Client[]
  readonly #observer: Client
  #kind: Kind = 'lock'
  #key: RecordKey = lockKey('none')
  #record: AlonceRecord | undefined
  #highest = 0
  #sent: Sent[] = []
  #opened = new Map<string, Sent>()
  #fences = new Map<string, Fence>()
  /** Owners that take the lock together with another one, where the store can do that. */
  readonly #joint = new Set<string>()
  #others = 0
  /** The transactions that the record was seen to be completed by, by token, under its fences. */
  #transacted = new Map<Fence, string>()

  constructor(world: World, shared: Shared) {
    this.#world = world
    this.#shared = shared
    this.#clients = [shared.connect(world.client()), shared.connect(world.client({ wallOffsetMs: 5000 }))]
    this.#observer = shared.connect(world.client())
  }

  async play(kind: Kind, script: readonly Move[]): Promise<void> {
    const id = randomUUID()
    this.#kind = kind
    this.#key = kind === 'once' ? (`once/model/${id}` as RecordKey) : lockKey(id)
    this.#record = undefined
    this.#highest = 0
    this.#sent = []
    this.#opened.clear()
    this.#fences.clear()
    this.#transacted.clear()
    this.#joint.clear()
    // Each client learns the store's time: what a first, unclocked request does is tested where that store is.
    for (const { store, wire } of this.#clients) {
      wire.heal()
      await this.#world.run(store.read(this.#key))
    }
    for (const move of script) await this.#move(move)
    const done = this.#transacted.size
    const counted = (await this.#shared.counters?.read(this.#key)) ?? done
    if (counted !== done) throw new Error(`${done} transactions, and their items written ${counted} times`)
  }

  async #move(move: Move): Promise<void> {
    switch (move.move) {
      case 'pass':
        return this.#world.advance(move.ms)
      case 'remove':
        // Deletion within the width of the store's interval is outside of V2; so is nobody's clean-up.
        await this.#world.advance(6000)
        await this.#shared.remove(this.#key)
        this.#record = undefined
        // A request that is older than a deletion by hand and arrives after it can bring back an old fence where the seed is
        // the sender's (DynamoDB). The table's own clean-up comes a day late: no request lives that long.
        this.#sent = this.#sent.map((sent) => ({ ...sent, ghost: undefined }))
        return
      case 'ghost':
        return this.#deliver(
          chosen(
            this.#sent.filter(({ ghost }) => ghost),
            move.back,
          ),
        )
      case 'again': {
        const sent = chosen(this.#sent, move.back)
        return sent && this.#send({ ...sent, ghost: undefined }, 'none', true)
      }
      case 'act':
        return this.#act(move)
    }
  }

  async #act(act: Act): Promise<void> {
    const opens = OPENS.has(act.verb)
    const there = ownersOf(this.#record)
    const owner = (!opens && act.current && there[act.owner % there.length]) || `owner-${act.owner}`
    // An owner is the name of one attempt: it acquires or begins once, and whatever comes later is that one again.
    const earlier = opens ? this.#opened.get(owner) : undefined
    if (earlier) return this.#send({ ...earlier, ghost: undefined }, act.mishap, true)
    const client = this.#opened.get(owner)?.client ?? (this.#clients[act.owner % this.#clients.length] as Client)
    const command = this.#command(owner, act)
    // A request that is to come again must arrive a first time, untouched.
    const ghost = act.keep && act.mishap === 'none' ? this.#keep(client.wire.capture(this.#requestOf(command))) : undefined
    const sent = { client, command, sentMs: this.#world.now, firstSentAtMs: client.store.now().latest, ghost }
    this.#sent.push(sent)
    if (opens) this.#opened.set(owner, sent)
    await this.#send(sent, act.mishap, false)
  }

  /** A store that finds nothing to write may send no such request: then there is nothing to deliver again. */
  #keep(ghost: Ghost): Ghost {
    let captured = false
    void ghost.captured.then(() => {
      captured = true
    })
    return { captured: ghost.captured, deliver: async () => (captured ? ghost.deliver() : undefined) }
  }

  async #send(sent: Sent, mishap: Mishap, resent: boolean): Promise<void> {
    const { client, command } = sent
    const options: SendOptions = resent ? { resent, firstSentAtMs: sent.firstSentAtMs } : {}
    const startMs = this.#world.now
    const disturbance = disturb(client.wire, this.#requestOf(command), mishap)
    const running = this.#execute(client, command, options).then(
      (reply) => ({ reply, unavailable: false, maybeApplied: false }),
      (error: unknown) => {
        if (!isAlonceError(error, 'STORE_UNAVAILABLE')) throw error
        return { reply: undefined, unavailable: true, maybeApplied: error.maybeApplied ?? false }
      },
    )
    if (disturbance) {
      await this.#world.advance(12_000)
      disturbance.letGo()
    }
    const { reply, unavailable, maybeApplied } = await this.#world.run(running)
    if (disturbance) await this.#world.settle()
    client.wire.heal()
    if (unavailable && mishap !== 'outage' && mishap !== 'outage-unseen' && mishap !== 'held')
      throw new Error(`no answer after ${mishap}`)
    const sequences = unavailable && !maybeApplied && !resent ? [[]] : sequencesOf(command, mishap, resent)
    await this.#judge({ command, reply, sequences, startMs, firstSentMs: sent.sentMs })
    this.#count(`${command.type} ${reply?.outcome ?? 'no answer'}`)
    if (this.#isJoint(command)) this.#count(`together ${reply?.outcome ?? 'no answer'}`)
    this.#count(`mishap ${mishap}`)
    if (reply && 'fence' in reply && (reply.outcome === 'acquired' || reply.outcome === 'started')) {
      this.#fences.set(command.owner, reply.fence)
    }
  }

  /** A completion with a token goes with an item of the caller's, where the store can do that. */
  #execute({ store }: Client, command: Command, options: SendOptions): Promise<Reply> {
    const { counters } = this.#shared
    if (command.type === 'lock.acquire' && this.#isJoint(command)) return this.#acquireAll(store, command, options)
    if (!store.transactions || !counters || !isTransaction(command)) return store.execute<Command>(command, options)
    return store.transactions.transact(command, [counters.increment(this.#key)], options) as Promise<Reply>
  }

  /** With a lock that nobody else takes: what becomes of the two is what becomes of the one that is watched. */
  async #acquireAll(store: Store, command: LockAcquire, options: SendOptions): Promise<Reply> {
    const other = `other-${++this.#others}`
    const commands = [command, { ...command, key: lockKey([this.#key, other]), owner: other }]
    const answer = await store.acquireAll?.(commands, options)
    if (answer?.outcome === 'acquired') return answer.grants[0] as Reply
    if (answer?.index !== 0) throw new Error(`a lock that nobody takes was refused: ${JSON.stringify(answer)}`)
    return answer.reply
  }

  #isJoint({ type, owner }: Command): boolean {
    return type === 'lock.acquire' && this.#joint.has(owner)
  }

  #requestOf(command: Command): RequestType {
    if (this.#isJoint(command)) return 'acquire-all'
    return this.#shared.counters && isTransaction(command) ? 'transact' : command.type
  }

  async #deliver(sent: Sent | undefined): Promise<void> {
    if (!sent?.ghost) return
    const startMs = this.#world.now
    await this.#world.run(sent.ghost.deliver())
    // The same bytes; where they carry a time, it is the time of their first sending.
    await this.#judgeGhost({ command: sent.command, startMs, firstSentMs: sent.sentMs })
    this.#count(`ghost of ${sent.command.type}`)
  }

  async #judge(step: Pick<Observed, 'command' | 'reply' | 'sequences' | 'startMs' | 'firstSentMs'>): Promise<void> {
    const after = await this.#world.run(this.#observer.store.read(this.#key))
    const together = this.#isJoint(step.command)
    const observed = { ...step, before: this.#record, after, endMs: this.#world.now, highest: this.#highest, together }
    // A transaction that is sent again has the very bytes, and so the time, of its first sending.
    const starts = isTransaction(step.command) ? [step.startMs, step.firstSentMs] : [step.startMs]
    const wrongs = this.#isOldNews(step) ? [] : starts.map((startMs) => verdict({ ...observed, startMs }))
    if (wrongs.length > 0 && wrongs.every((wrong) => wrong !== undefined)) throw new Error(wrongs[0])
    this.#accept(after)
  }

  /** DynamoDB itself remembers a transaction for ten minutes, and says so, whatever has become of the record since. */
  #isOldNews({ command, reply }: Pick<Observed, 'command' | 'reply'>): boolean {
    return isTransaction(command) && reply?.outcome === 'completed' && [...this.#transacted.values()].includes(command.token)
  }

  /** A store may make a lease absolute when it is first sent (DynamoDB) or when it arrives (memory). */
  async #judgeGhost({ command, startMs, firstSentMs }: Pick<Observed, 'command' | 'startMs' | 'firstSentMs'>): Promise<void> {
    const after = await this.#world.run(this.#observer.store.read(this.#key))
    const step = {
      command,
      reply: undefined,
      sequences: [[], [false], [true]],
      firstSentMs,
      before: this.#record,
      after,
      highest: this.#highest,
      together: this.#isJoint(command),
    }
    const wrongs = [startMs, firstSentMs].map((ms) => verdict({ ...step, startMs: ms, endMs: this.#world.now }))
    if (wrongs.every((wrong) => wrong !== undefined)) throw new Error(`a late duplicate: ${wrongs[0]}`)
    this.#accept(after)
  }

  #accept(after: AlonceRecord | undefined): void {
    if (after?.kind === 'once' && after.token !== undefined) this.#transacted.set(after.fence, after.token)
    this.#record = after
    this.#highest = Math.max(this.#highest, after?.fence ?? 0, after?.version ?? 0)
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  /** Of whom the lock was handed over to, too: it reads the fence. */
  #fenceOf(owner: string): Fence | undefined {
    if (this.#record?.kind === 'lock' && this.#record.holder?.owner === owner) return this.#record.fence
    return this.#fences.get(owner)
  }

  /** What its sender believes. It may be wrong: then it costs a request, and changes nothing. */
  #hintFor(owner: string): Hint | undefined {
    const opened = this.#opened.get(owner)?.command
    if (opened?.type !== 'lock.acquire') return undefined
    return opened.share ? 'shared' : opened.queueMs === undefined ? undefined : 'queue'
  }

  #command(owner: string, { verb, leaseMs, payload, hold, wrongFence }: Act): Command {
    const shown = this.#record?.fence ?? 1
    const fence = (wrongFence ? shown - 1 : shown) as Fence
    const common = { key: this.#key, owner }
    switch (`${this.#kind === 'once' ? 'once' : 'lock'}.${verb}` as Command['type'] | Variant | 'lock.together') {
      case 'lock.share':
        return { type: 'lock.acquire', ...common, leaseMs, label: payload, share: { weight: 1 } }
      case 'lock.permit': {
        const share = { limit: wrongFence ? 3 : 2, weight: hold ? 2 : 1 }
        return { type: 'lock.acquire', ...common, leaseMs, label: payload, share }
      }
      case 'lock.queue':
        return { type: 'lock.acquire', ...common, leaseMs, label: payload, queueMs: leaseMs * 2, hint: QUEUE_HINTS[leaseMs] }
      case 'lock.together':
        if (this.#observer.store.acquireAll) this.#joint.add(owner)
        return { type: 'lock.acquire', ...common, leaseMs, label: payload, share: hold ? { weight: 1 } : undefined }
      case 'lock.acquire':
        return { type: 'lock.acquire', ...common, leaseMs, label: payload }
      case 'lock.renew':
        return { type: 'lock.renew', ...common, leaseMs, fence: this.#fenceOf(owner) ?? fence, hint: this.#hintFor(owner) }
      case 'lock.release':
        return { type: 'lock.release', ...common, hint: this.#hintFor(owner) }
      case 'lock.break':
        return { type: 'lock.break', ...common, owner: 'operator', fence, reason: payload, by: owner }
      case 'once.begin':
        return { type: 'once.begin', ...common, leaseMs, retainMs: 30_000, fingerprint: payload, hold, label: payload }
      case 'once.reconcile':
        return { type: 'once.begin', ...common, leaseMs, retainMs: 30_000, fingerprint: payload, reconcile: true, label: payload }
      case 'once.extend':
        return { type: 'once.extend', ...common, leaseMs: leaseMs * 2 }
      case 'once.checkpoint':
        return { type: 'once.checkpoint', ...common, name: payload ?? '__proto__', value: owner }
      case 'once.retire':
        return { type: 'once.retire', ...common, name: payload ?? 'a.b', generation: 1 + (leaseMs % 4) }
      case 'once.complete':
        return { type: 'once.complete', ...common, result: resultOf(owner), retainMs: leaseMs * 3 }
      case 'once.transact':
        return { type: 'once.complete', ...common, result: resultOf(owner), retainMs: leaseMs * 3, token: `${owner}-${leaseMs}` }
      case 'once.abandon':
        return { type: 'once.abandon', ...common }
      case 'once.forget':
        return { type: 'once.forget', ...common, owner: 'operator', fence, reason: payload, by: owner }
    }
  }
}

/** Counted back from the last, round and round: so that there is one as soon as there is any. */
const chosen = <T>(all: readonly T[], back: number): T | undefined => all.at(-1 - (back % all.length))

const isTransaction = (command: Command): command is TokenCompletion =>
  command.type === 'once.complete' && command.token !== undefined

function ownersOf(record: AlonceRecord | undefined): readonly string[] {
  const alone = record?.kind === 'once' ? record.owner : record?.holder?.owner
  const others =
    record?.kind === 'lock' ? [...Object.keys(record.pool?.members ?? {}), ...(record.queue ?? []).map((w) => w.owner)] : []
  return alone === undefined ? others : [alone, ...others]
}

function disturb(wire: Wire, request: RequestType, mishap: Mishap): { letGo(): void } | undefined {
  switch (mishap) {
    case 'none':
      return undefined
    case 'held':
      return wire.hold(request)
    case 'outage':
      wire.cut('drop-answer')
      return undefined
    case 'outage-unseen':
      wire.cut('throttle')
      return undefined
    default:
      wire.inject(mishap, request)
      return undefined
  }
}
