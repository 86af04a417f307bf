//! stub
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ToolDefinition {
    pub name: String,
    pub description: String,
    pub input_schema: serde_json::Value,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolAnswer {
    pub ok: bool,
    pub text: String,
}
