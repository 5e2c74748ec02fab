import { printable, shortened, widthOf } from './printable.ts'

export type Color = 'red' | 'green' | 'yellow' | 'dim' | 'bold'
export type Paint = (text: string, color: Color | undefined) => string

export interface Cell {
  readonly text: string
  readonly color?: Color | undefined
}

const SGR: { readonly [color in Color]: number } = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 }

export const paintWith = (colors: boolean): Paint => {
  if (!colors) return (text) => text
  return (text, color) => (color === undefined ? text : `\u001b[${SGR[color]}m${text}\u001b[0m`)
}

/** Aligned, two spaces between the columns, none wider than its bound. The cells' text may be anybody's. */
export function columns(rows: readonly (readonly Cell[])[], bounds: readonly number[], paint: Paint): string {
  const cells = rows.map((row) =>
    row.map(({ text, color }, index) => ({ text: shortened(printable(text), bounds[index] ?? Number.MAX_SAFE_INTEGER), color })),
  )
  const widths = (cells[0] ?? []).map((_, index) => Math.max(...cells.map((row) => widthOf(row[index]?.text ?? ''))))
  return cells.map((row) => `${line(row, widths, paint)}\n`).join('')
}

function line(row: readonly Cell[], widths: readonly number[], paint: Paint): string {
  const painted = row.map(({ text, color }, index) => {
    const padding = index === row.length - 1 ? 0 : (widths[index] ?? 0) - widthOf(text)
    return `${paint(text, color)}${' '.repeat(padding)}`
  })
  return painted.join('  ').trimEnd()
}
