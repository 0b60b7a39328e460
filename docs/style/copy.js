// A button on every block of code copies its text, without prompts and without the output below them.
"use strict";

const SHELL = /^(?:\w+)?\$ /;
const PYTHON = /^(?:>>>|\.\.\.)(?: |$)/;

function codeOf(block) {
  const lines = block.innerText.replace(/\n$/, "").split("\n");
  const prompt = [/^>>> /, SHELL].find((one) => lines.some((line) => one.test(line)));
  if (!prompt) return lines.join("\n") + "\n";
  const mark = prompt === SHELL ? SHELL : PYTHON;
  const typed = [];
  let continued = false; // the line before ends with a backslash
  for (const line of lines) {
    if (continued || mark.test(line)) typed.push(line.replace(mark, ""));
    continued = (continued || mark.test(line)) && line.endsWith("\\");
  }
  return typed.join("\n") + "\n";
}

function addButton(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(codeOf(block));
    } catch {
      const area = document.body.appendChild(document.createElement("textarea")); // pages opened as files
      area.value = codeOf(block);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  block.parentElement.append(button);
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("div.highlight > pre").forEach((block) => {
    if (!block.closest(".output, .cell_output")) addButton(block);
  });
});
