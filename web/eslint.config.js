import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

// Money is text: whoever makes a number of it writes why beside an exception.
const FLOATS = "money never becomes a float: use src/format/decimal.ts";

export default tseslint.config(
  { ignores: ["src/api/schema.d.ts", "eslint.config.js"] },
  ...tseslint.configs.strictTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  hooks.configs.flat["recommended-latest"],
  {
    rules: {
      "no-restricted-globals": ["error", { name: "parseFloat", message: FLOATS }],
      "no-restricted-properties": ["error", { object: "Number", property: "parseFloat", message: FLOATS }],
      "no-restricted-syntax": ["error", { selector: "CallExpression[callee.name='Number']", message: FLOATS }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
);
