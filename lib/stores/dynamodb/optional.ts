import type { Item } from './send.ts'

/** Attributes to be, some of which are not there. */
export type Optional = { readonly [name: string]: Item[string] | undefined }

export const text = (value: string | undefined): Item[string] | undefined => (value === undefined ? undefined : { S: value })
export const number = (value: number | undefined): Item[string] | undefined =>
  value === undefined ? undefined : { N: String(value) }

/** Members carry a `$` before their name: no name of the caller's is then empty, or means something to JavaScript. */
export const map = <T>(values: { readonly [name: string]: T }, encode: (value: T) => Item[string] | undefined): Item[string] => ({
  M: present(Object.fromEntries(Object.entries(values).map(([name, value]) => [memberName(name), encode(value)]))),
})

export const memberName = (name: string): string => `$${name}`

export function present(fields: Optional): Item {
  const item: Item = {}
  for (const name of Object.keys(fields)) {
    const value = fields[name]
    if (value !== undefined) item[name] = value
  }
  return item
}
