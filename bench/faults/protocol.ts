import type { BenchEvent, OnceOptions, Setting } from '../products/product.ts'
import type { ProductId } from '../products/products.ts'

export interface ActorSetting extends Setting {
  readonly product: ProductId
  /** How wrong its wall clock is. */
  readonly skewMs: number
}

/** One call of an idempotent function. */
export interface CallAsk {
  readonly do: 'call'
  readonly event: BenchEvent
  readonly remainingMs: number
  readonly result: string
  /** After its effect, until told to go on. */
  readonly waits?: boolean
  readonly throws?: boolean
  readonly changesEvent?: boolean
  readonly inFailingChain?: boolean
  readonly options?: OnceOptions
}

export type Ask =
  | CallAsk
  | { readonly do: 'acquire'; readonly name: string | undefined; readonly leaseMs: number }
  | { readonly do: 'renew' | 'release' | 'believes' }

export type Order = { readonly id: number; readonly ask: Ask } | { readonly goOn: number }

export type Result =
  | { readonly outcome: 'returned'; readonly value: unknown }
  | {
      readonly outcome: 'threw'
      readonly error: { readonly name: string; readonly message: string; readonly code: string | undefined }
    }
  | { readonly outcome: 'acquired'; readonly fence: number | undefined }
  | { readonly outcome: 'held' | 'renewed' | 'by timer' | 'released' }
  | { readonly outcome: 'believes'; readonly held: boolean | undefined }
  | { readonly outcome: 'crashed' }

export interface Answer {
  readonly id: number
  readonly result: Result
}
