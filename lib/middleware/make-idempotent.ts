import { type IdempotencyOptions, planOf } from '../idempotency/options.ts'
import { runOnce } from '../idempotency/with-idempotency.ts'

/**
 * Wraps a function so that it runs once for each key; other calls get its result, as a fresh copy. Arguments, `this` and name
 * stay; Lambda's context is recognised among the arguments.
 *
 * @throws AlonceError `CONFIG_INVALID`, naming the option
 *
 * @example
 * const charge = makeIdempotent(chargeCard, { store, operation: 'charge', key: (event) => event.paymentId })
 */
export function makeIdempotent<This, A extends unknown[], R>(
  fn: (this: This, ...args: A) => R,
  options: IdempotencyOptions<A>,
): (this: This, ...args: A) => Promise<Awaited<R>> {
  const plan = planOf(options)
  const idempotent = async function (this: This, ...args: A): Promise<Awaited<R>> {
    return runOnce(plan, { args }, () => fn.apply(this, args))
  }
  // Lambda takes a function of three parameters for one with a callback, and refuses it.
  return Object.defineProperties(idempotent, {
    name: { value: fn.name, configurable: true },
    length: { value: Math.min(fn.length, 2), configurable: true },
  })
}
