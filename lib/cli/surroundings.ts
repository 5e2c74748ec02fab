/** All that the command line takes from the process that it runs in. The entry point gives the real ones. */
export interface Surroundings {
  readonly env: { readonly [name: string]: string | undefined }
  readonly out: Output
  readonly err: Output
  /** Puts a question to whoever sits there; `undefined`: nobody does. */
  readonly ask: ((question: string) => Promise<string>) | undefined
  /** Who works here, for the audit: `ann@host`. */
  readonly user: string
  /** This process, for the label of its locks: `host pid 4711`. */
  readonly label: string
  /** Alonce's version, and Node's. */
  readonly versions: { readonly alonce: string; readonly node: string }
  /** Calls `action` at each of these signals, until the returned function is called. */
  onSignals(signals: readonly StopSignal[], action: (signal: StopSignal) => void): () => void
}

export interface Output {
  write(text: string): unknown
  readonly isTTY: boolean
}

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

export const STOP_SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
