/**
 * Decorated classes as each compiler makes them: run by `decorators.test.ts`, which compares what they print. Names of classes
 * and methods are not printed, because minifiers change them.
 */
import { currentLock, currentOperation } from 'alonce'
import { Idempotent, Locked } from 'alonce/decorators'
import { memoryStore } from 'alonce/memory'

const store = memoryStore()

class Till {
  static opened = 0
  readonly #name: string
  charges = 0

  constructor(name: string) {
    this.#name = name
  }

  @Idempotent({ store, operation: 'charge', key: (id: string) => id })
  async charge(id: string, cents: number): Promise<string> {
    this.charges++
    return `${this.#name} charged ${id} ${cents}, attempt ${currentOperation().attempt}`
  }

  @Locked({ store, key: (id: string) => ['account', id] })
  @Idempotent({ store, operation: 'settle', key: (id: string) => id })
  async settle(id: string): Promise<string[]> {
    return [id, this.#name, currentLock().name]
  }

  @Locked({ store, key: 'till', onHeld: 'skip', waitMs: 0 })
  async nested(): Promise<string | undefined> {
    return String(await this.nested())
  }

  @Locked({ store, key: 'opening' })
  static async open(name: string): Promise<Till> {
    // biome-ignore lint/complexity/noThisInStatic: that `this` is kept is what is shown
    this.opened++
    return new this(name)
  }
}

/** A method of its own name in a subclass is another method, and `super` still reaches the decorated one. */
class SelfCheckout extends Till {
  override async charge(id: string, cents: number): Promise<string> {
    return `self-service: ${await super.charge(id, cents)}`
  }
}

const till = await Till.open('till 1')
const other = await SelfCheckout.open('till 2')
console.log(
  JSON.stringify({
    first: await till.charge('o1', 5),
    again: await till.charge('o1', 7),
    byAnother: await other.charge('o1', 9),
    charges: [till.charges, other.charges],
    settled: [await till.settle('a1'), await other.settle('a1')],
    skipped: await till.nested(),
    opened: [Till.opened, SelfCheckout.opened],
    enumerable: Object.keys(Till.prototype),
    length: till.charge.length,
  }),
)
