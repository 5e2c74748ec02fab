import type { Result } from './protocol.ts'

/** What a fault did to a product: seen in a run, never written by hand. */
export interface Cell {
  readonly verdict: 'right' | 'wrong'
  readonly happened: string
  /** Side effects that ran, of a lock: entries into what it protects. */
  readonly effects: number
}

export const cell = (right: boolean, happened: string, effects: number): Cell => ({
  verdict: right ? 'right' : 'wrong',
  happened,
  effects,
})

/** A result in a few words, for a table. */
export function words(result: Result): string {
  switch (result.outcome) {
    case 'returned':
      return `returned ${brief(result.value)}`
    case 'threw':
      return `threw ${result.error.code ?? nameOf(result.error)}`
    case 'believes':
      return result.held === undefined ? 'is told nothing' : `is told that it ${result.held ? 'holds it' : 'has lost it'}`
    case 'crashed':
      return 'its process crashed'
    default:
      return result.outcome
  }
}

function brief(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 40 ? `${Math.round(text.length / 1024)} KB` : `“${text}”`
}

/** Some set no name; then their first words have to do. */
const nameOf = ({ name, message }: { readonly name: string; readonly message: string }): string =>
  name === 'Error' ? `Error: ${message.slice(0, 48)}` : name

export const returned = (result: Result, value: string): boolean => result.outcome === 'returned' && result.value === value
export const threw = (result: Result): boolean => result.outcome === 'threw' || result.outcome === 'crashed'
export const acquired = (result: Result): boolean => result.outcome === 'acquired'
