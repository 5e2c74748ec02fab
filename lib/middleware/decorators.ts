import type { IdempotencyOptions } from '../idempotency/options.ts'
import type { LockOptions } from '../lock/options.ts'
import type { Rejecting } from '../lock/with-lock.ts'
import { configInvalid } from '../store/errors.ts'
import { makeIdempotent } from './make-idempotent.ts'
import { makeLocked } from './make-locked.ts'

// `any` stands for what the decorated method says: `unknown` would refuse every method that annotates its parameters, and every
// key that does not annotate its own.
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any
type AsyncMethod = (this: Any, ...args: Any[]) => Promise<Any>

/** `true`, or in the compiler's message why the decorator does not fit the method. */
type Fits<T extends AsyncMethod, A extends Any[]> =
  Parameters<T> extends [...A, ...Any[]] ? true : 'the key takes other arguments than the method'
type FitsSkipped<T extends AsyncMethod, A extends Any[]> =
  Promise<undefined> extends ReturnType<T> ? Fits<T, A> : 'with onHeld "skip" the method must return a Promise of undefined too'
type When<Fit> = Fit extends true ? unknown : { readonly doesNotFit: Fit }

/** A decorator of TC39's standard and of TypeScript's legacy one (`experimentalDecorators`) at once. */
export interface AsyncMethodDecorator<A extends Any[]> {
  <T extends AsyncMethod>(method: T, context: ClassMethodDecoratorContext & When<Fits<T, A>>): T
  <T extends AsyncMethod>(target: object, name: Name, descriptor: Descriptor<T> & When<Fits<T, A>>): Descriptor<T>
}
export interface SkippingMethodDecorator<A extends Any[]> {
  <T extends AsyncMethod>(method: T, context: ClassMethodDecoratorContext & When<FitsSkipped<T, A>>): T
  <T extends AsyncMethod>(target: object, name: Name, descriptor: Descriptor<T> & When<FitsSkipped<T, A>>): Descriptor<T>
}
type Name = string | symbol
type Descriptor<T> = TypedPropertyDescriptor<T>

/**
 * Each call of the method runs under the lock that `key` makes of its arguments; see `makeLocked`. The handle is
 * `currentLock()`. With `onHeld: 'skip'` the method's result must allow `undefined`.
 *
 * @throws AlonceError `CONFIG_INVALID` when the class is defined; each call rejects as a function of `makeLocked` does
 *
 * @example
 * class Accounts {
 *   @Locked({ store, key: (id: string) => ['account', id] })
 *   async settle(id: string): Promise<void> { … }
 * }
 */
export function Locked<A extends Any[] = Any[]>(options: LockOptions<A> & Rejecting): AsyncMethodDecorator<A>
export function Locked<A extends Any[] = Any[]>(options: LockOptions<A>): SkippingMethodDecorator<A>
export function Locked(options: LockOptions<Any[]>): AsyncMethodDecorator<Any[]> {
  return decorator('Locked', (method) => makeLocked(method, options))
}

/**
 * The method runs once for each key made of its arguments; other calls get its result, as a fresh copy; see `makeIdempotent`.
 * The handle is `currentOperation()`. Names of classes and methods play no part in the record: minifiers change them.
 *
 * @throws AlonceError `CONFIG_INVALID` when the class is defined; each call rejects as a function of `makeIdempotent` does
 *
 * @example
 * class Payments {
 *   @Idempotent({ store, operation: 'charge', key: (order: Order) => order.id })
 *   async charge(order: Order): Promise<Receipt> { … }
 * }
 */
export function Idempotent<A extends Any[] = Any[]>(options: IdempotencyOptions<A>): AsyncMethodDecorator<A> {
  return decorator('Idempotent', (method) => makeIdempotent(method, options as IdempotencyOptions<Any[]>))
}

type Method = (this: unknown, ...args: Any[]) => Promise<Any>

/** The standards differ in their arguments: a method and its context, or a target, a name and a property descriptor. */
function decorator(name: string, wrap: (method: Method) => Method): AsyncMethodDecorator<Any[]> {
  const decorate = (first: unknown, second: unknown, descriptor?: PropertyDescriptor): unknown => {
    if (isContext(second)) {
      if (second.kind !== 'method') throw misplaced(name, second.kind)
      return wrap(first as Method)
    }
    if (typeof descriptor?.value !== 'function') throw misplaced(name, descriptor?.get ? 'accessor' : 'field or class')
    return { ...descriptor, value: wrap(descriptor.value) }
  }
  return decorate as AsyncMethodDecorator<Any[]>
}

const isContext = (value: unknown): value is ClassMethodDecoratorContext | { readonly kind: string } =>
  typeof value === 'object' && value !== null && 'kind' in value

const misplaced = (name: string, kind: string): Error =>
  configInvalid(name, `decorates methods, and this is a ${kind}. Put it on an async method.`)
