import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { barChart } from '../../bench/report/chart.ts'
import { table } from '../../bench/report/markdown.ts'

const bars = [
  { label: 'A & <B>', value: 4, text: '4 "units"', ours: true },
  { label: 'C', value: 1, text: '1' },
  { label: 'D', value: 0, text: '0' },
]

/** Every tag that is opened is closed, in order, and no `&` or `<` stands for itself. */
function isWellFormed(xml: string): boolean {
  const open: string[] = []
  for (const [, close, name, attributes, alone] of xml.matchAll(/<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g)) {
    if (close) {
      if (open.pop() !== name) return false
    } else if (!alone) open.push(name ?? '')
    if (/&(?!amp;|lt;|gt;|quot;)/.test(attributes ?? '')) return false
  }
  const text = xml.replace(/<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g, '')
  return open.length === 0 && !/[<>]|&(?!amp;|lt;|gt;|quot;)/.test(text)
}

test('a chart is well-formed, whatever its labels say', () => {
  const svg = barChart({ title: 'T & "U"', subtitle: '<s>', bars, goal: { value: 3, text: 'goal' } })
  expect(isWellFormed(svg)).toBe(true)
  expect(isWellFormed(svg.replace('A &amp;', 'A &'))).toBe(false)
})

test('bars are as long as their values, from zero, and the goal stands at its own', () => {
  const svg = barChart({ title: 'T', subtitle: 'S', bars, goal: { value: 2, text: 'goal' } })
  const lengths = [...svg.matchAll(/width="([\d.]+)" height="20"/g)].map(([, width]) => Number(width))
  expect(lengths).toEqual([400, 100, 1])
  expect(svg).toContain('x1="450.0"')
})

test('a chart without bars is a bug of the bench', () => {
  expect(() => barChart({ title: 'T', subtitle: 'S', bars: [] })).toThrow(/no bars/)
})

test('a table keeps a bar in a cell apart from its own', () => {
  expect(table(['a', 'b'], [['1|2', '3']])).toBe('| a | b |\n|---|---|\n| 1\\|2 | 3 |')
})

test('the charts in docs/ are well-formed, and the page shows each of them', () => {
  const docs = join(import.meta.dirname, '../../docs')
  const page = readFileSync(join(docs, 'BENCHMARKS.md'), 'utf8')
  const charts = readdirSync(join(docs, 'benchmarks')).filter((name) => name.endsWith('.svg'))
  expect(charts.length).toBeGreaterThan(2)
  for (const name of charts) {
    expect(isWellFormed(readFileSync(join(docs, 'benchmarks', name), 'utf8')), name).toBe(true)
    expect(page).toContain(`](benchmarks/${name})`)
  }
  for (const [, shown] of page.matchAll(/\]\((benchmarks\/[^)]+)\)/g)) expect(existsSync(join(docs, shown ?? ''))).toBe(true)
})
