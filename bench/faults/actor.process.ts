import type { BenchContext, BenchEvent, HeldLock } from '../products/product.ts'
import { loadProduct } from '../products/products.ts'
import type { ActorSetting, Answer, Ask, CallAsk, Order, Result } from './protocol.ts'

/**
 * One client of a product, in a process of its own, so that it can be frozen, killed and given a wrong clock, whatever library
 * it uses. It does what its parent orders, and tells each side effect as it happens.
 */
const setting = JSON.parse(process.argv[2] ?? '{}') as ActorSetting
shiftClock(setting.skewMs)
const product = await loadProduct(setting.product)
const { once, lock } = await product.connect(setting)
const gates = new Map<number, () => void>()
let held: HeldLock | undefined

process.on('message', (order: Order) => {
  if ('goOn' in order) gates.get(order.goOn)?.()
  else void answer(order)
})
process.send?.({ ready: true })

async function answer(order: { readonly id: number; readonly ask: Ask }): Promise<void> {
  let result: Result
  try {
    result = await perform(order.id, order.ask)
  } catch (error) {
    const { name = 'Error', message = String(error), code } = error as Partial<Error> & { code?: unknown }
    result = { outcome: 'threw', error: { name, message, code: typeof code === 'string' ? code : undefined } }
  }
  const reply: Answer = { id: order.id, result }
  process.send?.(reply)
}

async function perform(id: number, ask: Ask): Promise<Result> {
  switch (ask.do) {
    case 'call':
      return { outcome: 'returned', value: shown(await call(id, ask)) }
    case 'acquire':
      held = await lock?.acquire(ask.name as string, { leaseMs: ask.leaseMs, waitMs: 0 })
      return held ? { outcome: 'acquired', fence: held.fence } : { outcome: 'held' }
    case 'renew':
      if (!held?.renew) return { outcome: 'by timer' }
      await held.renew()
      return { outcome: 'renewed' }
    case 'release':
      await held?.release()
      return { outcome: 'released' }
    case 'believes':
      return { outcome: 'believes', held: held?.believesHeld() }
  }
}

/** JSON has no `undefined`, and parent and child speak JSON. */
const shown = (value: unknown): unknown => (value === undefined ? 'undefined' : value)

function call(id: number, ask: CallAsk): Promise<unknown> {
  const event: BenchEvent = { ...ask.event }
  const effect = async (given: BenchEvent): Promise<unknown> => {
    process.send?.({ effect: id })
    if (ask.waits) await new Promise<void>((resolve) => gates.set(id, resolve))
    if (ask.changesEvent) given.id = 'changed by the handler'
    if (ask.throws) throw new Error('the handler failed')
    return resultOf(ask)
  }
  const context: BenchContext = { getRemainingTimeInMillis: () => ask.remainingMs, awsRequestId: `request-${id}` }
  if (!once) throw new Error(`${product.name} has no idempotency`)
  const handler = ask.inFailingChain ? once.wrapInFailingChain(effect) : once.wrap(effect, ask.options)
  return handler(event, context)
}

function resultOf({ result }: CallAsk): unknown {
  switch (result) {
    case 'undefined':
      return undefined
    case 'a Date':
      return { at: new Date(0) }
    case '450 KB':
      // Of a kind that does not compress below DynamoDB's limit for an item.
      return Array.from({ length: 40_000 }, (_, index) => ((index + 1) * 2_654_435_761 * 7919).toString(36)).join('')
    default:
      return result
  }
}

/** The wall clock of this process is wrong; its monotonic clock is not. */
function shiftClock(skewMs: number): void {
  if (skewMs === 0) return
  const Real = Date
  class Shifted extends Real {
    constructor(...given: readonly unknown[]) {
      super(...((given.length === 0 ? [Real.now() + skewMs] : given) as [number]))
    }
    static override now(): number {
      return Real.now() + skewMs
    }
  }
  globalThis.Date = Shifted as DateConstructor
}
