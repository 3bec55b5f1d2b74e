/** The server answers `uplot.js` with the library's own file. */
export { default } from "uplot"
