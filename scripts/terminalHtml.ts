/**
 * What a terminal shows, as HTML: the text with its colours, which come as escape sequences.
 */

const foregrounds: Readonly<Record<string, string>> = {
  31: "#f0716b",
  32: "#7bc47f",
  33: "#e5c07b",
  34: "#6cb6ff",
  35: "#c792ea",
  36: "#56c8d8"
}

const colours = new RegExp(`${String.fromCharCode(27)}\\[([\\d;]*)m`)

const escaped = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;")

interface Style {
  readonly color: string | undefined
  readonly isBold: boolean
  readonly isDim: boolean
}

const plain: Style = { color: undefined, isBold: false, isDim: false }

const styled = (style: Style, code: string): Style => {
  switch (code) {
    case "":
    case "0":
      return plain
    case "1":
      return { ...style, isBold: true }
    case "2":
      return { ...style, isDim: true }
    case "22":
      return { ...style, isBold: false, isDim: false }
    case "39":
      return { ...style, color: undefined }
    default:
      return code in foregrounds ? { ...style, color: foregrounds[code] } : style
  }
}

const cssOf = ({ color, isBold, isDim }: Style): string =>
  [color && `color:${color}`, isBold && "font-weight:bold", isDim && "opacity:.6"].filter(Boolean).join(";")

export const htmlOf = (lines: ReadonlyArray<string>): string => {
  let style = plain
  // Every second part is the codes of an escape sequence.
  const parts = lines.join("\n").split(colours)
  const spans = parts.map((part, index) => {
    if (index % 2 === 0) return `<span style="${cssOf(style)}">${escaped(part)}</span>`
    style = part.split(";").reduce(styled, style)
    return ""
  })
  const look = "display:inline-block;margin:0;padding:16px 20px;background:#16181d;color:#d7dae0;border-radius:8px;" +
    "font:13px/1.35 'DejaVu Sans Mono',monospace"
  return `<body style="margin:0;background:#16181d"><pre style="${look}">${spans.join("")}</pre></body>`
}
