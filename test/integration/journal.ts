import type { Entry } from '../support/history.ts'

/** What a process of these tests tells its parent, one JSON line each. */
export type Line =
  /** It is up, and waits for a line on its input to begin. */
  | { readonly ready: true }
  /** It runs under this grant, and will not end by itself. */
  | {
      readonly stuck: {
        readonly key: string
        readonly owner: string
        readonly fence: number
        readonly askedAt: number
        readonly from: number
      }
    }
  | { readonly entry: Entry }
  /** An event that would be worth a warning. */
  | { readonly told: string }
  /** Something that no call may end with. */
  | { readonly unexpected: string }

/** What a process is told to do, as the JSON of its only argument. */
export interface Orders {
  readonly name: string
  readonly role: 'contender' | 'caller' | 'stuck-contender' | 'stuck-caller'
  readonly endpoint: string
  readonly tableName: string
  readonly keys: readonly string[]
  /** How many contenders or calls run at once in this process. */
  readonly count: number
}

/** The shortest that DynamoDB allows. */
export const LEASE_MS = 3000

/** Milliseconds of the machine's monotonic clock, which all of its processes share. */
export const sharedNow = (): number => Number(process.hrtime.bigint()) / 1e6
