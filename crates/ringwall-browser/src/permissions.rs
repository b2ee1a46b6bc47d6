//! What the scripts of a page may ask the browser for.

use std::collections::BTreeMap;

use crate::origin::Origin;

/// An ability of the browser that a page can do without (`Permissions-Policy`). Those that browsers know
/// on every system: a name that one does not know is a complaint in its console, on every page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// `accelerometer`
    Accelerometer,
    /// `autoplay`
    Autoplay,
    /// `camera`
    Camera,
    /// `display-capture`: recording the screen.
    DisplayCapture,
    /// `encrypted-media`
    EncryptedMedia,
    /// `fullscreen`
    Fullscreen,
    /// `geolocation`
    Geolocation,
    /// `gyroscope`
    Gyroscope,
    /// `hid`
    Hid,
    /// `idle-detection`
    IdleDetection,
    /// `magnetometer`
    Magnetometer,
    /// `microphone`
    Microphone,
    /// `midi`
    Midi,
    /// `payment`
    Payment,
    /// `picture-in-picture`
    PictureInPicture,
    /// `publickey-credentials-create`: registering a passkey.
    PublicKeyCredentialsCreate,
    /// `publickey-credentials-get`: a login with a passkey.
    PublicKeyCredentialsGet,
    /// `screen-wake-lock`
    ScreenWakeLock,
    /// `serial`
    Serial,
    /// `sync-xhr`
    SyncXhr,
    /// `usb`
    Usb,
    /// `xr-spatial-tracking`
    XrSpatialTracking,
}

impl Feature {
    /// All of them, in the order in which they are sent.
    pub const ALL: [Self; 22] = [
        Self::Accelerometer,
        Self::Autoplay,
        Self::Camera,
        Self::DisplayCapture,
        Self::EncryptedMedia,
        Self::Fullscreen,
        Self::Geolocation,
        Self::Gyroscope,
        Self::Hid,
        Self::IdleDetection,
        Self::Magnetometer,
        Self::Microphone,
        Self::Midi,
        Self::Payment,
        Self::PictureInPicture,
        Self::PublicKeyCredentialsCreate,
        Self::PublicKeyCredentialsGet,
        Self::ScreenWakeLock,
        Self::Serial,
        Self::SyncXhr,
        Self::Usb,
        Self::XrSpatialTracking,
    ];

    /// The name in the field.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accelerometer => "accelerometer",
            Self::Autoplay => "autoplay",
            Self::Camera => "camera",
            Self::DisplayCapture => "display-capture",
            Self::EncryptedMedia => "encrypted-media",
            Self::Fullscreen => "fullscreen",
            Self::Geolocation => "geolocation",
            Self::Gyroscope => "gyroscope",
            Self::Hid => "hid",
            Self::IdleDetection => "idle-detection",
            Self::Magnetometer => "magnetometer",
            Self::Microphone => "microphone",
            Self::Midi => "midi",
            Self::Payment => "payment",
            Self::PictureInPicture => "picture-in-picture",
            Self::PublicKeyCredentialsCreate => "publickey-credentials-create",
            Self::PublicKeyCredentialsGet => "publickey-credentials-get",
            Self::ScreenWakeLock => "screen-wake-lock",
            Self::Serial => "serial",
            Self::SyncXhr => "sync-xhr",
            Self::Usb => "usb",
            Self::XrSpatialTracking => "xr-spatial-tracking",
        }
    }
}

/// What the scripts of a page, and of the pages that it embeds, may ask the browser for: nothing of
/// [`Feature`] that is not allowed by name.
///
/// ```
/// use ringwall_browser::{Feature, Origin, PermissionsPolicy};
///
/// let pay: Origin = "https://pay.example".parse()?;
/// let policy = PermissionsPolicy::none()
///     .allow(Feature::Microphone)
///     .allow_with(Feature::Payment, [pay]);
/// assert!(policy.value().contains("microphone=(self)"));
/// assert!(policy.value().contains("payment=(self \"https://pay.example\")"));
/// assert!(policy.value().contains("camera=()"));
/// # Ok::<(), ringwall_browser::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionsPolicy {
    allowed: BTreeMap<Feature, Vec<Origin>>,
}

impl PermissionsPolicy {
    /// Nothing. The default.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Allows `feature` to the page itself.
    #[must_use]
    pub fn allow(self, feature: Feature) -> Self {
        self.allow_with(feature, [])
    }

    /// Allows `feature` to the page itself and, when it says so at the frame, to pages of `origins` that
    /// it embeds.
    #[must_use]
    pub fn allow_with(
        mut self,
        feature: Feature,
        origins: impl IntoIterator<Item = Origin>,
    ) -> Self {
        self.allowed.entry(feature).or_default().extend(origins);
        self
    }

    /// The value of the field: a structured dictionary (RFC 8941 §3.2).
    #[must_use]
    pub fn value(&self) -> String {
        let mut value = String::new();
        for feature in Feature::ALL {
            if !value.is_empty() {
                value.push_str(", ");
            }
            value.push_str(feature.as_str());
            value.push_str("=(");
            if let Some(origins) = self.allowed.get(&feature) {
                value.push_str("self");
                for origin in origins {
                    // An origin holds no quote and no backslash.
                    value.push_str(" \"");
                    value.push_str(origin.as_str());
                    value.push('"');
                }
            }
            value.push(')');
        }
        value
    }
}
