import { AlonceError, InvariantError, isAlonceError } from '../store/errors.ts'
import type { StoredResult } from '../store/record.ts'
import { jsonCodec } from './codec.ts'
import { recall, storedValue } from './outcome.ts'
import { persist } from './persist.ts'
import type { Attempt } from './running.ts'
import { beginStep, type Step } from './telling.ts'

const MAX_NAME_CHARS = 128
/** Refused duplicates cost by the record's size. */
const MAX_CHECKPOINTS = 32
/** What every store must take. */
const MAX_CHECKPOINT_BYTES = 262_144

/** The recovery points of one attempt: its own, and those that earlier attempts have left. */
export class Checkpoints {
  readonly #attempt: Attempt
  readonly #left: { readonly [name: string]: string }
  /** What this attempt has run, or is running. */
  readonly #own = new Map<string, Promise<unknown>>()

  constructor(attempt: Attempt) {
    this.#attempt = attempt
    this.#left = attempt.claim.started.checkpoints
  }

  /** See `Operation.checkpoint`. */
  async take<T>(name: string, fn: () => T): Promise<Awaited<T>> {
    checkName(name)
    const { keeper } = this.#attempt
    const known = this.#own.get(name)
    if (known !== undefined) return known as Promise<Awaited<T>>
    if (Object.hasOwn(this.#left, name)) return (await this.#read(name)) as Awaited<T>
    if (keeper.over) throw keeper.endedError()
    const names = new Set([...Object.keys(this.#left), ...this.#own.keys(), name])
    if (names.size > MAX_CHECKPOINTS) throw tooMany()
    const running = this.#run(name, fn)
    this.#own.set(name, running)
    // What failed may be tried again in this attempt.
    running.catch(() => this.#own.delete(name))
    return running
  }

  /** What earlier attempts have left, as values. */
  async left(): Promise<{ readonly [name: string]: unknown }> {
    const entries = Object.keys(this.#left).map(async (name) => [name, await this.#read(name)] as const)
    return Object.fromEntries(await Promise.all(entries))
  }

  async #read(name: string): Promise<unknown> {
    return this.#decode(this.#left[name] ?? '')
  }

  async #run<T>(name: string, fn: () => T): Promise<Awaited<T>> {
    const value = await fn()
    const kept = await this.#save(name, value)
    return kept === undefined ? value : ((await this.#decode(kept)) as Awaited<T>)
  }

  /**
   * The text that was there before, if it was another one. `fn` has run: that its value can't be kept is told by an event, and no
   * reason to fail and run it again.
   */
  async #save(name: string, value: unknown): Promise<string | undefined> {
    const { plan, key } = this.#attempt.identity
    const step = beginStep(plan.store.runtime.clock)
    try {
      const text = textOf(await storedValue(value, plan.codec, MAX_CHECKPOINT_BYTES))
      const command = { type: 'once.checkpoint', key, owner: this.#attempt.claim.owner, name, value: text } as const
      const reply = await persist(this.#attempt, step, (options) => plan.store.execute(command, options))
      if (reply.outcome === 'lost' || reply.outcome === 'uncertain') throw this.#attempt.keeper.lose(reply.outcome)
      this.#tell('checkpointed', step)
      return reply.outcome === 'exists' && reply.value !== text ? reply.value : undefined
    } catch (error) {
      if (error instanceof InvariantError || this.#attempt.keeper.over) throw error
      this.#tell('checkpoint-failed', step, error)
      return undefined
    }
  }

  async #decode(text: string): Promise<unknown> {
    const { plan, key } = this.#attempt.identity
    const recalled = await recall(storedOf(text), plan.codec, key).catch((cause: unknown) => {
      const message =
        'A checkpoint of an earlier attempt can’t be read. Nothing was run: read it with the codec that wrote it, or forget the record.'
      throw new AlonceError('RECORD_UNREADABLE', message, { key, cause })
    })
    return recalled.kind === 'replay' ? recalled.value : undefined
  }

  #tell(event: 'checkpointed' | 'checkpoint-failed', step: Step, error?: unknown): void {
    const { fence, attempt } = this.#attempt.claim.started
    const code = isAlonceError(error) ? error.code : undefined
    this.#attempt.identity.tell(event, { fence, attempt, code, ...step.measured() })
  }
}

/** JSON as it is, for people who look at the record; all else in base64. */
function textOf({ codec, body }: StoredResult): string {
  const bytes = Buffer.from(body as Uint8Array)
  return `${codec}:${bytes.toString(codec === jsonCodec.id ? 'utf8' : 'base64')}`
}

function storedOf(text: string): StoredResult {
  const at = text.indexOf(':')
  const codec = text.slice(0, Math.max(0, at))
  return { form: 'value', codec, body: Buffer.from(text.slice(at + 1), codec === jsonCodec.id ? 'utf8' : 'base64') }
}

const tooMany = (): AlonceError =>
  new AlonceError('CONFIG_INVALID', `An operation may have at most ${MAX_CHECKPOINTS} checkpoints. Take one for several steps.`, {
    option: 'checkpoint',
  })

function checkName(name: string): void {
  if (typeof name === 'string' && name.length > 0 && name.length <= MAX_NAME_CHARS) return
  throw new AlonceError('KEY_INVALID', `A checkpoint needs a name of 1 to ${MAX_NAME_CHARS} characters.`)
}
