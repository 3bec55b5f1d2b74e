/**
 * Numbers as a person reads them.
 */
export const count = (n: number): string => Math.round(n).toLocaleString("en-US")

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

export const percent = (share: number): string => `${Math.round(share * 100)} %`
