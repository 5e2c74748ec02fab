import { AlonceError } from '../../store/errors.ts'
import { type RecordKey, SCHEMA } from '../../store/record.ts'
import type { Item } from './send.ts'

/** Reads an item's attributes, and trusts none of them. */
export class Fields {
  readonly key: RecordKey
  readonly #item: Item

  constructor(item: Item, key: RecordKey) {
    this.#item = item
    this.key = key
  }

  /** @throws AlonceError `STORE_SCHEMA` for a version that we don't know, `RECORD_UNREADABLE` for what is not ours. */
  checkSchema(): void {
    const version = this.number('sv')
    if (version === undefined) throw unreadable(this.key, 'it has no schema version "sv"')
    if (version !== SCHEMA)
      throw unknownSchema(this.key, `has schema version ${version}, and this version of Alonce knows ${SCHEMA}`)
    if (this.#get('h') || this.#get('q'))
      throw unknownSchema(this.key, 'has shared holders or a queue, which this version of Alonce does not know')
  }

  text(name: string): string | undefined {
    return this.#typed(name, 'S', (value): value is string => typeof value === 'string')
  }

  bytes(name: string): Uint8Array | undefined {
    return this.#typed(name, 'B', (value): value is Uint8Array => value instanceof Uint8Array)
  }

  /** All our numbers are whole and not negative. */
  number(name: string): number | undefined {
    const digits = this.#typed(name, 'N', (value): value is string => typeof value === 'string')
    if (digits === undefined) return undefined
    const value = Number(digits)
    if (!Number.isSafeInteger(value) || value < 0) throw unreadable(this.key, `"${name}" is no whole number`)
    return value
  }

  nested(name: string): Fields | undefined {
    const members = this.#typed(name, 'M', (value): value is Item => typeof value === 'object' && value !== null)
    return members && new Fields(members, this.key)
  }

  /** A map of the caller's: its members' names carry a `$`. */
  map<T>(name: string, read: (fields: Fields, member: string) => T | undefined): { readonly [name: string]: T } {
    const fields = this.nested(name)
    if (!fields) return {}
    const entries = fields.names().map((member): [string, T] => {
      if (!member.startsWith('$')) throw unreadable(this.key, `"${name}" has a member that is not ours`)
      return [member.slice(1), fields.needed(read(fields, member), member)]
    })
    // fromEntries defines each member, whatever its name; an assignment to "__proto__" would not.
    return Object.fromEntries(entries)
  }

  names(): string[] {
    return Object.keys(this.#item)
  }

  needed<T>(value: T | undefined, name: string): T {
    if (value === undefined) throw unreadable(this.key, `it has no "${name}"`)
    return value
  }

  #typed<T>(name: string, type: string, is: (value: unknown) => value is T): T | undefined {
    const attribute = this.#get(name)
    if (attribute === undefined) return undefined
    const value: unknown = Object.hasOwn(attribute, type) ? attribute[type as keyof typeof attribute] : undefined
    if (!is(value)) throw unreadable(this.key, `"${name}" is not of the type ${type}`)
    return value
  }

  #get(name: string): Item[string] | undefined {
    return Object.hasOwn(this.#item, name) ? this.#item[name] : undefined
  }
}

export const unreadable = (key: RecordKey, why: string): AlonceError =>
  new AlonceError(
    'RECORD_UNREADABLE',
    `The record "${key}" can't be read: ${why}. It is damaged, or another program writes into this namespace. Nothing was run. Look at the item, then repair or delete it.`,
    { key },
  )

const unknownSchema = (key: RecordKey, what: string): AlonceError =>
  new AlonceError(
    'STORE_SCHEMA',
    `The record "${key}" ${what}. A newer Alonce writes into this table: update this program to the same version.`,
    { key },
  )
