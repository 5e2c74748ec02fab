// Compiled, never run, in both decorator standards: what the decorators must infer, and what they must refuse.
import { currentLock, currentOperation, type Store } from 'alonce'
import { Idempotent, Locked } from 'alonce/decorators'

declare const store: Store
interface Order {
  id: string
  amount: number
}
interface Receipt {
  readonly charged: string
}

export class Payments {
  private readonly currency = 'EUR'

  @Idempotent({ store, operation: 'charge', key: (order: Order) => order.id, scope: (order) => order.amount })
  async charge(order: Order): Promise<Receipt> {
    return { charged: order.id + this.currency + currentOperation().attempt }
  }

  @Locked({ store, key: (id: string) => ['account', id], waitMs: 0 })
  @Idempotent({ store, operation: 'settle', key: (id: string) => id, failure: 'store' })
  async settle(id: string, dryRun: boolean): Promise<number> {
    return dryRun ? 0 : id.length + currentLock().fence
  }

  @Locked({ store, key: 'nightly' })
  protected async nightly(): Promise<string> {
    return this.currency
  }

  @Locked({ store, key: 'nightly', onHeld: 'skip' })
  async mayBeSkipped(): Promise<string | undefined> {
    return this.currency
  }

  @Locked({ store, key: 'nightly', onHeld: 'skip' })
  async nothing(): Promise<void> {}

  @Locked({ store, key: (ids: readonly string[]) => ids })
  static async several(ids: readonly string[]): Promise<number> {
    return ids.length
  }

  @Idempotent({ store, operation: 'generic', key: (id: string) => id })
  async generic<T>(id: string, value: T): Promise<T[]> {
    return id ? [value] : []
  }
}

export class Unannotated {
  @Idempotent({ store, operation: 'charge', key: (order) => order.id })
  async charge(order: Order): Promise<string> {
    return order.id
  }
}

// The class is as it was for whoever uses it.
declare const payments: Payments
export const receipt: Promise<Receipt> = payments.charge({ id: 'o1', amount: 5 })
export const settled: Promise<number> = payments.settle('a1', true)
export const many: Promise<Date[]> = payments.generic('g', new Date(0))
// @ts-expect-error as without the decorator
void payments.settle('a1')

// Misuse fails.
export class Wrong {
  // @ts-expect-error the key takes a number, the method a string
  @Locked({ store, key: (id: number) => id })
  async settle(_id: string): Promise<void> {}

  // @ts-expect-error the key takes a member that the argument does not have
  @Idempotent({ store, operation: 'charge', key: (order: Order & { nope: string }) => order.nope })
  async charge(_order: Order): Promise<void> {}

  // @ts-expect-error a synchronous method can't be locked
  @Locked({ store, key: 'x' })
  sync(id: string): string {
    return id
  }

  // @ts-expect-error a result of a run that is skipped is undefined
  @Locked({ store, key: 'x', onHeld: 'skip' })
  async skipped(): Promise<string> {
    return 'never undefined'
  }

  // @ts-expect-error operation is required: names change when code is minified
  @Idempotent({ store, key: 'x' })
  async unnamed(): Promise<void> {}

  // @ts-expect-error no such option
  @Locked({ store, key: 'x', retries: 3 })
  async retried(): Promise<void> {}

  // @ts-expect-error a decorator needs its options
  @Idempotent
  async bare(): Promise<void> {}
}
