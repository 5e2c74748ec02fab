export interface Bar {
  readonly label: string
  readonly value: number
  /** What is written at its end. */
  readonly text: string
  readonly ours?: boolean
}
export interface Chart {
  readonly title: string
  readonly subtitle: string
  readonly bars: readonly Bar[]
  /** A line across all bars: a goal. */
  readonly goal?: { readonly value: number; readonly text: string }
}

const WIDTH = 760
const LABELS = 250
const FIGURES = 110
const ROW = 30
const TOP = 72
const SPACE = WIDTH - LABELS - FIGURES

/** Horizontal bars from zero, as an SVG of its own that is readable on light and on dark paper. */
export function barChart({ title, subtitle, bars, goal }: Chart): string {
  if (bars.length === 0) throw new RangeError(`The chart "${title}" has no bars`)
  const most = Math.max(...bars.map(({ value }) => value), goal?.value ?? 0)
  const scale = (value: number): number => (most > 0 ? (value / most) * SPACE : 0)
  const height = TOP + bars.length * ROW + (goal ? 28 : 8)
  const rows = bars.map((bar, index) => row(bar, TOP + index * ROW, scale(bar.value)))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${xmlText(title)}" font-family="system-ui, sans-serif" font-size="14">`,
    `<rect width="${WIDTH}" height="${height}" rx="8" fill="#ffffff"/>`,
    `<text x="16" y="28" font-size="17" font-weight="600" fill="#1f2328">${xmlText(title)}</text>`,
    `<text x="16" y="50" fill="#57606a">${xmlText(subtitle)}</text>`,
    ...rows,
    ...(goal ? [goalLine(goal.text, LABELS + scale(goal.value), TOP + bars.length * ROW)] : []),
    '</svg>',
    '',
  ].join('\n')
}

function row({ label, text, ours }: Bar, y: number, length: number): string {
  const bar = `<rect x="${LABELS}" y="${y + 4}" width="${Math.max(1, length).toFixed(1)}" height="${ROW - 10}" rx="3" fill="${ours ? '#0969da' : '#8c959f'}"/>`
  const name = `<text x="${LABELS - 10}" y="${y + 19}" text-anchor="end" fill="#1f2328"${ours ? ' font-weight="600"' : ''}>${xmlText(label)}</text>`
  return `${name}${bar}<text x="${(LABELS + length + 8).toFixed(1)}" y="${y + 19}" fill="#1f2328">${xmlText(text)}</text>`
}

function goalLine(text: string, x: number, bottom: number): string {
  const at = x.toFixed(1)
  const line = `<line x1="${at}" y1="${TOP - 4}" x2="${at}" y2="${bottom}" stroke="#cf222e" stroke-dasharray="4 3"/>`
  return `${line}<text x="${at}" y="${bottom + 16}" text-anchor="middle" fill="#cf222e" font-size="12">${xmlText(text)}</text>`
}

const xmlText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
