import { type Runtime, systemRuntime } from '../../runtime/runtime.ts'

export interface MemoryStoreOptions {
  /** Clock, randomness and timers. Default: the system's. */
  readonly runtime?: Runtime | undefined
}

export const memoryOptions = (options: MemoryStoreOptions): { readonly runtime: Runtime } => ({
  runtime: options.runtime ?? systemRuntime,
})
