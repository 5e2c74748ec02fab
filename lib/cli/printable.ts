/**
 * What could drive a terminal, or make a line read otherwise than it is: C0 and C1 controls, marks that turn the direction of
 * text, what has no width, halves of surrogate pairs. What is stored was written by others.
 */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Surrogate}/gu
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60]/u

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** For people: each such character as `\u001b`. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, escaped)

/** One line of JSON that means the same to a program, and nothing to a terminal. */
export const jsonLine = (value: unknown): string => printable(JSON.stringify(value))

/** Columns that a text takes in a terminal, nearly. */
export function widthOf(text: string): number {
  let width = 0
  for (const character of text) width += WIDE.test(character) ? 2 : 1
  return width
}

export function shortened(text: string, most: number): string {
  if (widthOf(text) <= most) return text
  let kept = ''
  let width = 1
  for (const character of text) {
    width += widthOf(character)
    if (width > most) break
    kept += character
  }
  return `${kept}…`
}
