//! Hosts of model providers.

use crate::source::Source;

/// Hosts at which providers serve models. A page that may connect there has, or will soon be given, the
/// provider's key. The list is for a warning, and decides nothing.
const HOSTS: [&str; 24] = [
    "aiplatform.googleapis.com",
    "api-inference.huggingface.co",
    "api.ai21.com",
    "api.anthropic.com",
    "api.cerebras.ai",
    "api.cohere.ai",
    "api.cohere.com",
    "api.deepseek.com",
    "api.fireworks.ai",
    "api.groq.com",
    "api.mistral.ai",
    "api.openai.com",
    "api.perplexity.ai",
    "api.replicate.com",
    "api.stability.ai",
    "api.together.ai",
    "api.together.xyz",
    "api.x.ai",
    "cognitiveservices.azure.com",
    "dashscope.aliyuncs.com",
    "generativelanguage.googleapis.com",
    "openai.azure.com",
    "openrouter.ai",
    "router.huggingface.co",
];

/// The host of a provider that `source` lets a page connect to: it is one, lies below one, or is a
/// wildcard above one.
pub(crate) fn reached(source: &Source) -> Option<&'static str> {
    let (host, is_wildcard) = source.host()?;
    let below = |name: &str, parent: &str| {
        name.strip_suffix(parent)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    HOSTS
        .into_iter()
        .find(|provider| below(host, provider) || (is_wildcard && below(provider, host)))
        .or_else(|| is_bedrock(host).then_some("bedrock-runtime.amazonaws.com"))
}

/// Amazon puts the region between.
fn is_bedrock(host: &str) -> bool {
    let mut labels = host.split('.');
    labels.any(|label| label == "bedrock-runtime") && host.ends_with("amazonaws.com")
}
